"""Runs programs with the rights of whoever runs CodeLutra: only where that was asked for.

What is left of the sandbox: no gold near a program, verdicts by comparison, limits of time.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from codelutra.config import SandboxConfig
from codelutra.sandbox.process import ServerDied, start
from codelutra.sandbox.python_runner import (
    MAX_STREAM,
    WALL_FACTOR,
    CallFeed,
    Job,
    limit_of,
    outcome_of,
    read_available,
    request_of,
    tell,
)
from codelutra.sandbox.result import ExecutionResult, Program

START_S = 60.0  # an interpreter that imports pandas on a busy machine
POLL_MS = 50.0
MAX_OUTPUT = 4096  # bytes of stdout and stderr, as in `child/output.py`


class UnfencedRunner:
    """A fresh interpreter for every program. POSIX only."""

    def __init__(self, tier: str, config: SandboxConfig) -> None:
        self.tier, self.config = tier, config
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def wait_ready(self) -> None:
        """There is no server to wait for."""

    def run(self, programs: Sequence[Program]) -> Iterator[ExecutionResult]:
        """Raises ServerDied after `hang_up`."""
        yield from map(self._run, programs)

    def _run(self, program: Program) -> ExecutionResult:
        ours, theirs = socket.socketpair()
        with ours, tempfile.TemporaryFile() as printed:
            with theirs:
                child = start("unfenced.py", theirs, self.tier, output=printed)
            self._child = child
            try:
                tell(ours, request_of(program, self.config), START_S)
                job = self._collect(ours, child, program)
            finally:
                kill_group(child)
            if self._is_stopped:
                raise ServerDied("stopped")
            printed.seek(0)
            output = printed.read(MAX_OUTPUT).decode("utf-8", "replace")
            return outcome_of(replace(job, output=output), limit_of(program, self.config), program)

    def _collect(
        self, ours: socket.socket, child: subprocess.Popen[bytes], program: Program
    ) -> Job:
        """Reads what the child writes until it has ended, or is ended at the wall-clock limit."""
        poll = select.poll()
        poll.register(ours, select.POLLIN)
        stream, feed = bytearray(), CallFeed(program.calls)
        ends_at, timed_out = time.monotonic() + START_S, False
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if poll.poll(0 if pid else POLL_MS):
                if not stream:  # from here on the time is the program's own
                    ends_at = time.monotonic() + limit_of(program, self.config) * WALL_FACTOR
                if not read_available(ours, stream):
                    poll = select.poll()  # closed, or too much: only the end is of interest
            if pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                cpu_s = usage.ru_utime + usage.ru_stime
                return Job(bytes(stream), child.returncode, cpu_s, timed_out, "")
            if program.calls and (call := feed.due(stream)) is not None:
                tell(ours, call.encode(), START_S)
                if feed.is_over:
                    ours.shutdown(socket.SHUT_WR)
            timed_out = time.monotonic() > ends_at
            if timed_out or self._is_stopped or len(stream) > MAX_STREAM:
                kill_group(child)

    def hang_up(self) -> None:
        """From another thread: ends the program under way."""
        self._is_stopped = True
        if self._child is not None:
            kill_group(self._child)

    def close(self) -> None:
        """Nothing outlives a program but what left its process group on purpose."""


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """It leads a group of its own; also ends what it started and left there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
