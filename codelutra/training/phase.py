"""Trains one adapter in a child process and writes it to disk all or nothing."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codelutra.config import RefineConfig
from codelutra.errors import TrainingError
from codelutra.models import file_sha256, model_revision, resolve_model
from codelutra.phase import run_phase
from codelutra.records import Adapter, PreferencePair
from codelutra.tasks.task import Task

WEIGHTS = "adapter_model.safetensors"


def train_adapter(
    tasks: dict[str, Task],
    pairs: Sequence[PreferencePair],
    config: RefineConfig,
    *,
    parent: Adapter | None,
    out: Path,
    log: Path,
    on_step: Callable[[int, int, dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> Adapter:
    """Continue `parent` (None: a fresh adapter) on `pairs`; `on_step(step, steps, metrics)`."""
    if not pairs:
        raise TrainingError(
            "no preference pairs to train on: no task has both a correct and an incorrect program; "
            "sample more programs a task or use other tasks"
        )
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    job = {
        "model": resolve_model(config.model),
        "parent": parent.path if parent else "",
        "chat_template": config.chat_template,
        "pairs": [{"prompt": tasks[p.task_id].prompt, **asdict(p)} for p in pairs],
        "training": config.training.model_dump(),
        "seed": config.seed,
        "out": str(partial),
    }
    for message in run_phase("train", job, log=log, should_stop=should_stop, error=TrainingError):
        if "step" in message:
            on_step(message["step"], message["steps"], message["metrics"])
    shutil.rmtree(out, ignore_errors=True)  # left by a crash before its row was written
    partial.replace(out)
    return Adapter(
        path=str(out),
        sha256=file_sha256(out / WEIGHTS),
        base_model=config.model,
        base_revision=model_revision(config.model),
        reference=config.training.reference if parent else "base",
        parent=parent.sha256 if parent else "",
    )
