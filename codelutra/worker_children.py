"""The processes around the worker: whoever it ends with, and what must end with it."""

import contextlib
import os
import signal
from pathlib import Path

import psutil


def process(pid: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid)
    return None


def is_alive(process: psutil.Process | None) -> bool:
    """Neither gone, nor a zombie, nor another process with its number."""
    try:
        return process is not None and process.is_running() and process.status() != "zombie"
    except psutil.NoSuchProcess:
        return False


def kill_groups_of_children() -> None:
    """Children of this process that lead a group of their own, with all of the group."""
    for listing in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, listing.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
