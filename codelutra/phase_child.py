"""The child side of a phase: jobs in, messages out, everything printed to the log."""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from codelutra.errors import CodeLutraError

Send = Callable[[dict[str, Any]], None]
Phase = Callable[[dict[str, Any], Send], None]
DISK_FULL = ("No space left on device", "os error 28")  # Python's words; those of safetensors
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


def main(name: str, channel: Connection, log: str, environment: dict[str, str]) -> None:
    """Do the jobs that come in, each answered with messages: JSON objects, the last one `done`."""
    os.setsid()  # killed as a group
    die_with_parent()
    _show_name(name)
    _print_to(log)
    os.environ.update(environment)  # the server's are as old as the first phase

    def send(message: dict[str, Any]) -> None:
        channel.send_bytes(json.dumps(message).encode())

    try:
        phase = {"generate": _generate, "train": _train, "serve": _serve}[name]()
        while True:
            envelope = json.loads(channel.recv_bytes())
            _print_to(envelope["log"])
            phase(envelope["job"], send)
            send({"done": True})
    except EOFError:  # nobody asks any more
        return
    except Exception as error:  # the phase boundary: one line up, the traceback to the log
        traceback.print_exc()
        send({"error": one_line(error)})
        sys.exit(1)


def _print_to(log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def die_with_parent(how: signal.Signals = signal.SIGKILL) -> None:
    """Linux: the kernel sends this process a signal when the thread that started it ends."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the call above


def _show_name(name: str) -> None:
    """In `ps -o comm` and `top`, where all forks of one server look alike."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, f"cl-{name}".encode())


def one_line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    if any(words in str(error) for words in DISK_FULL):
        return "no space left on the disk: free some, then resume; what is finished is kept"
    return text if isinstance(error, CodeLutraError) else f"{type(error).__name__}: {text}"


def _generate() -> Phase:
    from codelutra.generation.serving import Serving

    return Serving()


def _serve() -> Phase:
    from codelutra.serving.phase import serve

    return serve


def _train() -> Phase:
    return _train_once


def _train_once(job: dict[str, Any], send: Send) -> None:
    if job["training"]["num_processes"] > 1:
        from codelutra.training.launched import launch

        launch(job, send)
        return
    from codelutra.training.trainer import train

    train(job, send)
