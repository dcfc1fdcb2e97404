"""Runs a phase (generate, train) in a child process of its own.

The child frees the GPU when it ends, is killed as a group, and cannot outlive its parent. It is
forked from a server that has its libraries loaded: importing them takes longer than many a phase.
"""

import contextlib
import json
import multiprocessing
import multiprocessing.forkserver
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from codelutra import child_environment, phase_child
from codelutra.backends import why_no_runs
from codelutra.errors import PhaseError, StopRequested

POLL_S = 0.3
Message = dict[str, Any]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["codelutra.phase_imports"])


class PhaseChild:
    """A child that does one job after the other and keeps what it has loaded in between."""

    def __init__(self, name: str, *, log: Path, error: type[PhaseError]) -> None:
        """`name` is a phase that `phase_child` knows; `error` is raised when it fails."""
        if reason := why_no_runs():
            raise error(f"no model can be loaded here: {reason}")
        self.name, self.error = name, error
        _make(log)
        self._channel, theirs = _forks.Pipe()
        arguments = (name, theirs, str(log), child_environment.for_children())
        self._process = _forks.Process(target=phase_child.main, args=arguments)
        try:
            with child_environment.without_secrets():
                multiprocessing.forkserver.ensure_running()
            self._process.start()
        except (ConnectionError, EOFError):
            self.close()
            raise self._killed(f"the {name} phase did not start: see {log}") from None
        finally:
            theirs.close()

    def ask(
        self, job: dict[str, Any], *, log: Path, should_stop: Callable[[], bool]
    ) -> Iterator[Message]:
        """Yield the child's messages until the job is done; both are plain JSON data.

        What the child prints is appended to `log`. Raises StopRequested when told to stop.
        """
        _make(log)
        try:
            self._channel.send_bytes(json.dumps({"job": job, "log": str(log)}).encode())
        except ConnectionError:
            raise self._death(log) from None
        for message in _messages(self._channel, should_stop):
            if "error" in message:
                raise self.error(message["error"])
            if "done" in message:
                return
            yield message
        raise self._death(log)

    def close(self) -> None:
        self._channel.close()
        _kill_group(self._process)

    def _death(self, log: Path) -> PhaseError:
        self._process.join()
        code = self._process.exitcode
        return self._killed(f"the {self.name} phase died (exit code {code}): see {log}")

    def _killed(self, message: str) -> PhaseError:
        error = self.error(message)
        error.was_killed = True
        return error


def run_phase(
    name: str,
    job: dict[str, Any],
    *,
    log: Path,
    should_stop: Callable[[], bool],
    error: type[PhaseError],
) -> Iterator[Message]:
    """Yield the messages of a child that does this one job."""
    child = PhaseChild(name, log=log, error=error)
    try:
        yield from child.ask(job, log=log, should_stop=should_stop)
    finally:
        child.close()


def _make(log: Path) -> None:
    """A full disk or a folder of somebody else's is told here, in one line."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()


def _messages(channel: Connection, should_stop: Callable[[], bool]) -> Iterator[Message]:
    """Until the child hangs up."""
    while True:
        if should_stop():
            raise StopRequested("stopped on request; what is finished is kept")
        if wait([channel], POLL_S):
            try:
                yield json.loads(channel.recv_bytes())
            except (EOFError, ConnectionError):
                return


def _kill_group(child: BaseProcess) -> None:
    if child.pid is None:
        return
    with contextlib.suppress(ProcessLookupError):  # already gone, with all its descendants
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()  # it had not made its group yet
    child.join()
    child.close()
