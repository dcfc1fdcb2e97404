"""Training steps as a screen can show them, read in the database."""

import time

import pytest
from sqlmodel import Session

from storage import db
from storage.curves import read_curves
from storage.models import TrainingStep
from tests.storage.rows import iteration


def add(session: Session, where: int, first: int, last: int, **special: float | None) -> None:
    rows = [
        {
            "iteration_id": where,
            "step": step,
            "metrics": {"loss": special.get(f"s{step}", 1.0), "rewards/margins": step / 10},
        }
        for step in range(first, last + 1)
    ]
    session.connection().execute(TrainingStep.__table__.insert(), rows)  # type: ignore[attr-defined]


def test_few_steps_are_as_they_are(run_id: int) -> None:
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        add(session, where, 1, 4, s2=None)
        found = read_curves(session, iteration_id=where, metrics=["loss"], max_points=10)
    assert found.steps == [(1, {"loss": 1.0}), (2, {"loss": None}), (3, {"loss": 1.0}),
                           (4, {"loss": 1.0})]  # fmt: skip
    assert found.means == []


def test_many_steps_are_stretches_with_their_extremes_and_mean(run_id: int) -> None:
    with db.open_session() as session:
        where, other = iteration(session, run_id, 1), iteration(session, run_id, 2)
        add(session, where, 1, 40, s13=9.0, s14=None)
        add(session, other, 1, 40, s13=99.0)
        names = ["loss", "rewards/margins", "unknown"]
        found = read_curves(session, iteration_id=where, metrics=names, max_points=10)
    assert [step for step, _ in found.steps] == [1, 10, 11, 20, 21, 30, 31, 40]
    assert [row["loss"] for _, row in found.steps] == [1, 1, 1, 9, 1, 1, 1, 1]
    assert found.means[1][1]["loss"] == pytest.approx((8 + 9) / 9)
    assert found.means[0] == (5, {"loss": 1.0, "rewards/margins": 0.55, "unknown": None})
    assert found.steps[-1][1] == {"loss": 1.0, "rewards/margins": 4.0, "unknown": None}


def test_a_hundred_thousand_steps_are_read_at_once(run_id: int) -> None:
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        add(session, where, 1, 100_000, s77777=900.0)
    with db.open_session() as session:
        began = time.process_time()
        found = read_curves(session, iteration_id=where, metrics=["loss"], max_points=1000)
        seconds = time.process_time() - began
    assert len(found.steps) <= 1000
    assert max(row["loss"] or 0 for _, row in found.steps) == 900.0
    assert seconds < 5  # of processor time, however busy the machine is
