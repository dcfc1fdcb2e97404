"""The child side of a phase: a job in, messages out, everything printed to the log."""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from codelutra.errors import CodeLutraError

Send = Callable[[dict[str, Any]], None]
PR_SET_PDEATHSIG = 1


def main(name: str, job: str, channel: Connection, log: str, environment: dict[str, str]) -> None:
    """Run the phase `name` on `job` (JSON); every message is one JSON object on `channel`."""
    os.setsid()  # killed as a group
    die_with_parent()
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), stream)
    os.environ.update(environment)  # the server's are as old as the first phase

    def send(message: dict[str, Any]) -> None:
        channel.send_bytes(json.dumps(message).encode())

    try:
        {"generate": _generate, "train": _train}[name](json.loads(job), send)
    except Exception as error:  # the phase boundary: one line up, the traceback to the log
        traceback.print_exc()
        send({"error": _one_line(error)})
        sys.exit(1)


def die_with_parent() -> None:
    """Linux: the kernel kills this process when the thread that started it ends."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the call above


def _one_line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if isinstance(error, CodeLutraError) else f"{type(error).__name__}: {text}"


def _generate(job: dict[str, Any], send: Send) -> None:
    """Each chunk has its own seed, so a resumed run draws the same programs."""
    from codelutra.generation import load_generator, request_from_job

    generator = load_generator(job["backend"], job["model"], job["adapter"], job["chat_template"])
    send({"loaded": True})
    for number, prompts in _chunks(job["chunks"]):
        completions = generator.generate(prompts, request_from_job(job, chunk=number))
        send({"chunk": number, "completions": completions})


def _chunks(chunks: dict[str, list[str]]) -> Iterator[tuple[int, list[str]]]:
    return ((int(number), prompts) for number, prompts in chunks.items())


def _train(job: dict[str, Any], send: Send) -> None:
    if job["training"]["num_processes"] > 1:
        from codelutra.training.launched import launch

        launch(job, send)
        return
    from codelutra.training.trainer import train

    train(job, send)
