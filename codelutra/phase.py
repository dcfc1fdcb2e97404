"""Runs a phase (generate, train) in a child process of its own.

The child frees the GPU when it ends, is killed as a group, and cannot outlive its parent. Its
standard error goes to a log file; its messages come as JSON lines through a pipe.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codelutra.errors import CodeLutraError, StopRequested

POLL_S = 0.3
Message = dict[str, Any]


def run_phase(
    name: str,
    job: dict[str, Any],
    *,
    log: Path,
    should_stop: Callable[[], bool],
    error: type[CodeLutraError],
) -> Iterator[Message]:
    """Yield the child's messages. Raises `error` when it fails, StopRequested when told to stop."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as log_file:
        child = subprocess.Popen(
            [sys.executable, "-m", "codelutra.phase_child", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,
            env=_environment(),
        )
    try:
        assert child.stdin is not None
        with child.stdin as stdin:
            stdin.write(json.dumps(job).encode())
        failure = ""
        for line in _lines(child, should_stop):
            message = json.loads(line)
            if "error" in message:
                failure = message["error"]
            else:
                yield message
        code = child.wait()
        if failure or code != 0:
            raise error(failure or f"the {name} phase died (exit code {code}): see {log}")
    except BrokenPipeError:
        raise error(f"the {name} phase did not start: see {log}") from None
    finally:
        _kill_group(child)


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parents[1])  # the child runs from any working directory
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        # Threads that spin while they wait starve whatever shares the cores: two phases side
        # by side were ten times slower than one after the other.
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "TOKENIZERS_PARALLELISM": "false",
    }


def _lines(child: "subprocess.Popen[bytes]", should_stop: Callable[[], bool]) -> Iterator[bytes]:
    assert child.stdout is not None
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if should_stop():
                raise StopRequested("stopped on request; what is finished is kept")
            if not selector.select(POLL_S):
                continue
            block = os.read(child.stdout.fileno(), 1 << 16)
            if not block:
                return
            *lines, buffer = (buffer + block).split(b"\n")
            yield from lines


def _kill_group(child: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):  # already gone, with all its descendants
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout:
        child.stdout.close()
