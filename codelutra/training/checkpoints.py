"""Checkpoints of a training under way: which one can be trusted after a `kill -9`."""

import json
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from codelutra.models import file_sha256

SEAL = "sealed.json"  # written last: a folder without it was being written when it was killed


class Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Asks the Trainer for a checkpoint every `every_s` seconds, and seals each one."""

    def __init__(self, job_sha256: str, every_s: float) -> None:
        self.job_sha256 = job_sha256
        self.every_s = every_s
        self.saved_at = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        is_due = time.monotonic() - self.saved_at >= self.every_s
        control.should_save = is_due and state.global_step < state.max_steps

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.saved_at = time.monotonic()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            seal = {"job": self.job_sha256, "files": _hashes(folder)}
            partial = folder / (SEAL + ".partial")
            partial.write_text(json.dumps(seal), encoding="utf-8")
            partial.replace(folder / SEAL)


def last_sealed(output_dir: Path, job_sha256: str) -> Path | None:
    """The newest whole checkpoint of this very job; None starts the training anew."""
    folders = sorted(output_dir.glob("checkpoint-*"), key=_step, reverse=True)
    return next((folder for folder in folders if _is_whole(folder, job_sha256)), None)


def _step(folder: Path) -> int:
    number = folder.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _is_whole(folder: Path, job_sha256: str) -> bool:
    path = folder / SEAL
    if not path.is_file():
        return False
    seal = json.loads(path.read_text(encoding="utf-8"))
    files = [folder / name for name in seal["files"]]
    if seal["job"] != job_sha256 or not all(file.is_file() for file in files):
        return False
    return all(file_sha256(file) == seal["files"][file.name] for file in files)


def _hashes(folder: Path) -> dict[str, str]:
    files = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith(SEAL))
    return {file.name: file_sha256(file) for file in files}
