"""A database with runs in it, made through storage alone; no worker, no model."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codelutra.config import RefineConfig
from storage import db, jobs, queries, recording

AddRun = Callable[..., int]
DATABASE = "codelutra.sqlite"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is ready for runs: its copy is three times as quick as its migrations."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        jobs.prepare(folder)
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / "copy.sqlite"),))
    return folder / "copy.sqlite"


@pytest.fixture
def store(home: Path, prepared: Path) -> Path:
    home.mkdir()
    shutil.copy(prepared, home / DATABASE)
    jobs.prepare(home)
    return home


@pytest.fixture
def add_run(store: Path) -> AddRun:
    """add_run(accuracies, validated) queues a run and scores one policy an accuracy."""

    def add(
        accuracies: tuple[float, ...] = (),
        validated: tuple[float, ...] = (),
        iterations: int = 2,
    ) -> int:
        config = RefineConfig.for_model("starter", iterations=iterations)
        with db.open_session() as session:
            run = jobs.submit(
                session,
                config=config.model_dump(mode="json"),
                name="starter",
                num_train=400,
                num_validation=20 if validated else 0,
                num_heldout=100,
            )
            assert run.id is not None
            for number, accuracy in enumerate(accuracies):
                _score(session, run.id, number, accuracy)
            for number, accuracy in enumerate(validated):
                _validate(session, run.id, number, accuracy)
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


def _validate(session: Any, run_id: int, number: int, accuracy: float) -> None:
    row = {
        "pass_at_1": accuracy,
        "ci95": [accuracy - 0.2, accuracy + 0.2],
        "num_tasks": 20,
        "syntax_error": 0.0,
        "verdicts": {"correct": round(20 * accuracy)},
    }
    iteration_id = recording.ensure_iteration(session, run_id=run_id, number=number)
    recording.add_scores(session, iteration_id=iteration_id, row=row, split="validation")


@pytest.fixture
def add_steps(store: Path) -> Callable[..., None]:
    """add_steps(run_id, number, first, last, **metrics) stores training steps."""

    def add(run_id: int, number: int, first: int, last: int, **metrics: float | None) -> None:
        with db.open_session() as session:
            where = recording.ensure_iteration(session, run_id=run_id, number=number)
            for step in range(first, last + 1):
                row = {name.replace("__", "/"): value for name, value in metrics.items()}
                recording.add_training_step(session, iteration_id=where, step=step, metrics=row)

    return add


@pytest.fixture
def add_alert(store: Path) -> Callable[..., None]:
    """add_alert(run_id, number, kind, seen, advice, step)."""

    def add(run_id: int, number: int, kind: str, seen: str, advice: str, step: int | None) -> None:
        row = {"kind": kind, "seen": seen, "advice": advice, "step": step}
        with db.open_session() as session:
            where = recording.ensure_iteration(session, run_id=run_id, number=number)
            recording.add_alert(session, iteration_id=where, row=row)

    return add
