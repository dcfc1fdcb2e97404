"""A database with runs in it, made through storage alone; no worker, no model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codelutra.config import RefineConfig
from storage import db, jobs, queries, recording

AddRun = Callable[..., int]


@pytest.fixture
def store(home: Path) -> Path:
    jobs.prepare(home)
    return home


@pytest.fixture
def add_run(store: Path) -> AddRun:
    """add_run(accuracies, iterations=...) queues a run and scores one policy an accuracy."""

    def add(accuracies: tuple[float, ...] = (), iterations: int = 2) -> int:
        config = RefineConfig.for_model("starter", iterations=iterations)
        with db.open_session() as session:
            run = jobs.submit(
                session,
                config=config.model_dump(mode="json"),
                name="starter",
                num_train=400,
                num_heldout=100,
            )
            assert run.id is not None
            for number, accuracy in enumerate(accuracies):
                _score(session, run.id, number, accuracy)
            queries.add_log(session, run_id=run.id, message="<b>bold</b> & {{x}} ${1 + 1}")
            return run.id

    return add


def _score(session: Any, run_id: int, number: int, accuracy: float) -> None:
    iteration_id = recording.ensure_iteration(session, run_id=run_id, number=number)
    correct = round(100 * accuracy)
    recording.add_scores(
        session,
        iteration_id=iteration_id,
        row={
            "pass_at_1": accuracy,
            "ci95": [accuracy - 0.08, accuracy + 0.08],
            "num_tasks": 100,
            "syntax_error": 0.1,
            "verdicts": {"correct": correct, "syntax_error": 10, "wrong_result": 90 - correct},
        },
    )
    recording.add_samples(
        session,
        iteration_id=iteration_id,
        split="heldout",
        rows=[
            {
                "task_id": str(task),
                "index": 0,
                "completion": "",
                "verdict": "correct" if task < correct else "wrong_result",
                "detail": "",
                "seconds": 0.0,
            }
            for task in range(100)
        ],
    )
    recording.add_seconds(session, iteration_id=iteration_id, phase="evaluate", seconds=20.0)
