from tests.lab import database, lab

__all__ = ["database", "lab"]
