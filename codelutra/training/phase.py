"""Trains one adapter in a child process and writes it to disk all or nothing."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codelutra.adapters import json_sha256, place, verify_adapter
from codelutra.config import RefineConfig
from codelutra.errors import TrainingError
from codelutra.model_files import fetch_model
from codelutra.models import model_revision, resolve_model
from codelutra.phase import run_phase
from codelutra.records import Adapter, PreferencePair, TrainingFacts
from codelutra.tasks.task import Task


def train_adapter(
    tasks: dict[str, Task],
    pairs: Sequence[PreferencePair],
    config: RefineConfig,
    *,
    parent: Adapter | None,
    in_order: bool,
    out: Path,
    log: Path,
    on_step: Callable[[int, int, dict[str, Any]], None],
    on_facts: Callable[[TrainingFacts], None],
    should_stop: Callable[[], bool],
) -> Adapter:
    """Continue `parent` (None: a fresh adapter) on `pairs`; `on_step(step, steps, metrics)`.

    `in_order` keeps the pairs in their order instead of shuffling their tasks. A training that
    was killed goes on from its last checkpoint, in `out`.work, when it is called again.
    """
    if not pairs:
        raise TrainingError(
            "no preference pairs to train on: no task has both a correct and an incorrect program; "
            "(or all pairs were vetoed); sample more programs a task or use other tasks"
        )
    if parent:
        verify_adapter(parent)
    work, partial = (out.with_name(out.name + end) for end in (".work", ".partial"))
    shutil.rmtree(partial, ignore_errors=True)
    rows = [{**asdict(p), "prompt": p.prompt or tasks[p.task_id].prompt} for p in pairs]
    settings = config.training.model_dump(mode="json")
    model = resolve_model(config.model)
    fetch_model(model, should_stop=should_stop)
    job = {
        "model": model,
        "parent": parent.path if parent else "",
        "chat_template": config.chat_template,
        "pairs": rows,
        "training": settings,
        "seed": config.seed,
        "in_order": in_order,
        "out": str(partial),
        "work": str(work),
    }
    for message in run_phase("train", job, log=log, should_stop=should_stop, error=TrainingError):
        if "facts" in message:
            on_facts(TrainingFacts(**message["facts"]))
        if "step" in message:
            on_step(message["step"], message["steps"], message["metrics"])
    adapter = place(
        partial,
        out,
        base_model=config.model,
        base_revision=model_revision(config.model),
        reference=config.training.reference if parent else "base",
        parent=parent.sha256 if parent else "",
        config_sha256=json_sha256({**settings, "seed": config.seed}),
        data_sha256=json_sha256(rows),
    )
    shutil.rmtree(work, ignore_errors=True)
    return adapter
