"""Errors named for the boundary they cross. Each message says what, where and what to do."""


class CodeLutraError(Exception):
    """Anything a person can act on; printed as one line, exit code 2."""


class TaskError(CodeLutraError):
    """A task set is missing, empty or malformed."""


class ModelError(CodeLutraError):
    """A model cannot be found or loaded."""


class AdapterError(CodeLutraError):
    """An adapter on disk is missing, damaged or not the one that was recorded."""


class PhaseError(CodeLutraError):
    """A phase failed. `was_killed`: its process ended without a word, see starting_again.py."""

    was_killed = False


class GenerationError(PhaseError):
    """The sampling phase failed."""


class SandboxError(CodeLutraError):
    """The sandbox itself failed; never used for a bad program."""


class TrainingError(PhaseError):
    """The training phase failed."""


class BackupError(CodeLutraError):
    """A backup or snapshot cannot be written, read or trusted."""


class StopRequested(CodeLutraError):
    """Somebody paused or cancelled the run; what is finished is kept."""
