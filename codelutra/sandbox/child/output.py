"""What a program prints: its beginning, kept in a file in memory that the server reads afterwards.

No pipe, so a flood of prints wakes nobody. The text is evidence for people; no verdict reads it.
"""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

MAX_OUTPUT = 4096  # bytes of stdout and stderr together


class Beginning(io.RawIOBase):
    """Writes to stdout until MAX_OUTPUT bytes are out; the rest is dropped, never an error."""

    def __init__(self) -> None:
        self.room = MAX_OUTPUT

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, data: Any) -> int:
        part = bytes(data[: self.room])
        self.room -= len(part)
        if part:
            with contextlib.suppress(OSError):  # closed, or filled by other means
                os.write(1, part)
        return len(data)


def replace_streams() -> None:
    """In the server: a child inherits these and pays nothing for them."""
    raw = Beginning()  # one for both, so that lines keep their order
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,  # a program that is killed leaves its last line
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def new_file() -> int:
    """In the server, before the fork: a program's process may open no file itself."""
    return os.memfd_create("output")


def direct_to(file: int) -> None:
    """In the child: stdout and stderr of C libraries, too."""
    os.dup2(file, 1)
    os.dup2(file, 2)


def flusher() -> Callable[[], None]:
    """Bound before untrusted code runs; whatever that did to the streams is no error."""
    flushes = sys.stdout.flush, sys.stderr.flush

    def flush() -> None:
        for each in flushes:
            with contextlib.suppress(BaseException):
                each()

    return flush


def read_and_close(file: int) -> str:
    """In the server, once the child is dead: readable text, with … where it was cut."""
    data = os.pread(file, MAX_OUTPUT, 0)
    os.close(file)
    return data.decode("utf-8", "replace") + ("…" if len(data) == MAX_OUTPUT else "")
