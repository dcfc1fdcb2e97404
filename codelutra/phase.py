"""Runs a phase (generate, train) in a child process of its own.

The child frees the GPU when it ends, is killed as a group, and cannot outlive its parent. It is
forked from a server that has its libraries loaded: importing them takes longer than many a phase.
"""

import contextlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from codelutra import phase_child
from codelutra.errors import CodeLutraError, StopRequested

POLL_S = 0.3
Message = dict[str, Any]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["codelutra.phase_imports"])


def run_phase(
    name: str,
    job: dict[str, Any],
    *,
    log: Path,
    should_stop: Callable[[], bool],
    error: type[CodeLutraError],
) -> Iterator[Message]:
    """Yield the child's messages. Raises `error` when it fails, StopRequested when told to stop.

    `job` and the messages are plain JSON data; what the child prints is appended to `log`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()  # a full disk or a folder of somebody else's is told here, in one line
    receiver, sender = _forks.Pipe(duplex=False)
    arguments = (name, json.dumps(job), sender, str(log), dict(os.environ))
    child = _forks.Process(target=phase_child.main, args=arguments)
    try:
        child.start()
        sender.close()
        failure = ""
        for message in _messages(receiver, should_stop):
            if "error" in message:
                failure = message["error"]
            else:
                yield message
        child.join()
        if failure or child.exitcode != 0:
            raise error(failure or f"the {name} phase died (exit code {child.exitcode}): see {log}")
    except (ConnectionError, EOFError):  # the server, or the child before its first message
        raise error(f"the {name} phase did not start: see {log}") from None
    finally:
        receiver.close()
        _kill_group(child)


def _messages(receiver: Connection, should_stop: Callable[[], bool]) -> Iterator[Message]:
    while True:
        if should_stop():
            raise StopRequested("stopped on request; what is finished is kept")
        if wait([receiver], POLL_S):
            try:
                yield json.loads(receiver.recv_bytes())
            except EOFError:
                return


def _kill_group(child: BaseProcess) -> None:
    if child.pid is None:
        return
    with contextlib.suppress(ProcessLookupError):  # already gone, with all its descendants
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()  # it had not made its group yet
    child.join()
    child.close()
