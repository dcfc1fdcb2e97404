"""Whether the disk of the home still has room: a run is paused before it is full."""

import os
import shutil
from pathlib import Path

from codelutra.errors import CodeLutraError

VARIABLE = "CODELUTRA_MIN_FREE_MB"
MIN_FREE_MB = 500  # of ours; a checkpoint of a 7B model's adapter needs more, see `doctor --model`


def min_free_mb() -> int:
    value = os.environ.get(VARIABLE, "").strip() or str(MIN_FREE_MB)
    if not value.isdecimal():
        raise CodeLutraError(f"{VARIABLE}={value}: write a number of megabytes, 0 for no bound")
    return int(value)


def shortage(home: Path, least_mb: int) -> str:
    """One line for a person when less is free than `least_mb`, else ''."""
    free_mb = shutil.disk_usage(home).free // 1_000_000
    if free_mb >= least_mb:
        return ""
    return (
        f"the disk of {home} has {free_mb} MB left, below {least_mb} ({VARIABLE}): "
        "see `python -m codelutra clean --dry-run`, then resume; what is finished is kept"
    )
