"""Training on several GPUs: `accelerate launch` starts a process for each, the first one reports.

accelerate launch --num_processes 2 -m codelutra.training.launched JOB.json
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codelutra.errors import CodeLutraError, TrainingError

Send = Callable[[dict[str, Any]], None]
MARK = "codelutra-message:"  # tells a message from what libraries print


def launch(job: dict[str, Any], send: Send) -> None:
    """Run `job` in training.num_processes processes of this process's group; relay messages."""
    work = Path(job["work"])
    work.mkdir(parents=True, exist_ok=True)
    path = work / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    count = str(job["training"]["num_processes"])
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1"]
    command += ["--num_processes", count, *([] if _has_gpus() else ["--cpu"])]
    command += ["-m", "codelutra.training.launched", str(path)]
    failure = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if not line.startswith(MARK):
                print(line, end="")  # to the log of the phase
                continue
            message = json.loads(line.removeprefix(MARK))
            failure = failure or message.get("error", "")
            if "error" not in message:
                send(message)
    if failure or child.returncode:
        raise TrainingError(failure or f"accelerate launch ended with code {child.returncode}")


def main(path: str) -> None:
    from codelutra.training.trainer import train

    is_first = os.environ.get("RANK", "0") == "0"

    def send(message: dict[str, Any]) -> None:
        if is_first:
            print(MARK + json.dumps(message), flush=True)

    try:
        train(json.loads(Path(path).read_text(encoding="utf-8")), send)
    except CodeLutraError as error:
        send({"error": str(error)})
        sys.exit(1)


def _has_gpus() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _environment() -> dict[str, str]:
    """So that the children import the very package that started them."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


if __name__ == "__main__":
    main(sys.argv[1])
