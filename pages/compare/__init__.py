"""Compare: one prompt to two to four model states, side by side."""

from pages.compare.tab import CompareTab, open_address, render, renew

__all__ = ["CompareTab", "open_address", "render", "renew"]
