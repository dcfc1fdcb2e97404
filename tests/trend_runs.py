"""Runs on the starter's tasks filled by hand, with programs, for Trends: no model, no worker."""

import random
from collections.abc import Sequence
from typing import Any

from codelutra.config import RefineConfig
from codelutra.evaluation import score
from codelutra.records import (
    Alert,
    PreferencePair,
    Sample,
    Split,
    TrainingFacts,
    Verdict,
    VerdictKind,
)
from codelutra.run_rows import RunRows
from codelutra.tasks import Task, load_tasks
from storage import db, jobs

HOSTILE = "<img src=x onerror=document.body.dataset.hit=1>"
ERRORS = (
    (VerdictKind.WRONG_RESULT, "3 rows where 2 were expected"),
    (VerdictKind.SYNTAX_ERROR, f"near {HOSTILE!r}: syntax error"),
    (VerdictKind.RUNTIME_ERROR, "no such column: pricee"),
    (VerdictKind.TIMEOUT, "more than 5 s of CPU time"),
)


def submit(name: str, **settings: Any) -> RunRows:
    """A run that nobody will execute."""
    config = RefineConfig.for_model("starter", **settings)
    with db.open_session() as session:
        run = jobs.submit(session, config=config.model_dump(mode="json"), name=name,
                          num_train=20, num_validation=20, num_heldout=60)  # fmt: skip
        assert run.id
        identity = run.id, run.workflow_id
    jobs.cancel(identity[0])
    return RunRows(*identity)


def add_policy(
    rows: RunRows,
    number: int,
    accuracy: float,
    *,
    num_tasks: int = 60,
    seed: int = 0,
    num_steps: int = 40,
    is_trained: bool = True,
) -> None:
    """One iteration, 0 the base: its samples, pairs, training, scores and times."""
    rng = random.Random(f"{seed}-{number}")
    tasks = load_tasks("starter")
    if number and is_trained:
        train = [task for task in tasks if task.split == "train"][:20]
        _draw(rows, number, "train", train, accuracy - 0.1, rng, num_samples=10)
        rows.add_pairs(number, [PreferencePair(train[0].task_id, "a", "b", 0, 1)] * 1)
        rows.add_training_facts(number, TrainingFacts(1, 0, 900 + number, 300 + number))
        for step in range(1, num_steps + 1):
            loss = 1 / step
            metrics = {"loss/dpo": loss, "loss/sft": loss / 2, "rewards/margins": 1 - loss}
            rows.add_training_metrics(number, step, metrics)
        for phase, seconds in zip(("sample", "execute", "pair", "train"), (40, 6, 0.2, 90),
                                  strict=True):  # fmt: skip
            rows.add_seconds(number, phase, seconds + number)
    heldout = [task for task in tasks if task.split == "heldout"][:num_tasks]
    _draw(rows, number, "heldout", heldout, accuracy, rng)
    rows.add_seconds(number, "evaluate", 12.0)
    validation = [task for task in tasks if task.split == "train"][20:40]
    _draw(rows, number, "validation", validation, accuracy, rng)


def add_run(name: str, accuracies: Sequence[float], *, seed: int = 0, **settings: Any) -> int:
    rows = submit(name, **{"iterations": max(1, len(accuracies) - 1), **settings})
    for number, accuracy in enumerate(accuracies):
        add_policy(rows, number, accuracy, seed=seed)
    if len(accuracies) > 2:
        rows.add_alert(2, Alert("few_pairs", f"1 pair {HOSTILE}", "more samples", None))
    return rows.run_id


def _draw(
    rows: RunRows,
    number: int,
    split: Split,
    tasks: Sequence[Task],
    accuracy: float,
    rng: random.Random,
    num_samples: int = 1,
) -> None:
    samples = []
    for task in tasks:
        for index in range(num_samples):
            is_correct = rng.random() < accuracy
            kind, detail = (
                (VerdictKind.CORRECT, "as expected") if is_correct else rng.choice(ERRORS)
            )
            program = task.gold if is_correct else f"{task.gold} -- {HOSTILE}"
            samples.append(Sample(task.task_id, index, program, Verdict(kind, detail, 0.01)))
    rows.add_samples(number, split, samples)
    if split != "train":
        rows.add_scores(number, score(rows.samples(number, split)), split)
