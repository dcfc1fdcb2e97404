"""The child side of a phase: `python -m codelutra.phase_child NAME`, job as JSON on stdin."""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from codelutra.errors import CodeLutraError

Send = Callable[[dict[str, Any]], None]
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Linux: the kernel kills this process when the thread that started it ends."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # it died before the call above


def main() -> int:
    die_with_parent()
    # Messages own the real standard output; a stray print of a library goes to the log.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    try:
        phase = {"generate": _generate, "train": _train}[sys.argv[1]]
        phase(json.load(sys.stdin), send)
    except Exception as error:  # the phase boundary: one line up, the traceback to the log
        traceback.print_exc()
        send({"error": _one_line(error)})
        return 1
    return 0


def _one_line(error: Exception) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if isinstance(error, CodeLutraError) else f"{type(error).__name__}: {text}"


def _generate(job: dict[str, Any], send: Send) -> None:
    """Each chunk has its own seed, so a resumed run draws the same programs."""
    from codelutra.generation import load_generator, request_from_job

    generator = load_generator(job["backend"], job["model"], job["adapter"])
    send({"loaded": True})
    for number, prompts in _chunks(job["chunks"]):
        completions = generator.generate(prompts, request_from_job(job, chunk=number))
        send({"chunk": number, "completions": completions})


def _chunks(chunks: dict[str, list[str]]) -> Iterator[tuple[int, list[str]]]:
    return ((int(number), prompts) for number, prompts in chunks.items())


def _train(job: dict[str, Any], send: Send) -> None:
    from codelutra.training.trainer import train

    train(job, send)


if __name__ == "__main__":
    sys.exit(main())
