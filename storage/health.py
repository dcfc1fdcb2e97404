"""How an iteration's training goes: its curves, what became of its programs, and the alerts.

Counts come from aggregates over indexes: no row of a large run is loaded.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case
from sqlmodel import Session, col, func, select

from storage.models import Alert, Iteration, Run, Sample, TrainingStep
from storage.pair_models import PreferencePair, Review
from storage.queries import HARNESS_ERROR, get_iteration


@dataclass(frozen=True)
class Training:
    """What an iteration's training is known by, before its steps are read."""

    number: int
    iteration_id: int
    last_step: int | None  # None until the first step
    facts: dict[str, Any] | None  # what became of the pairs, as `recording.add_training_facts`


@dataclass(frozen=True)
class Funnel:
    """From tasks to the pairs that train; None is not known yet."""

    tasks: int
    samples: int
    graded: int  # harness errors left out
    mixed_tasks: int  # with correct and incorrect programs, flaky ones left out
    gold_tasks: int | None  # paired by their gold, having no correct program
    pairs: int | None
    kept_pairs: int | None  # that nobody vetoed
    trained_pairs: int | None  # of them, not too long


@dataclass(frozen=True)
class RaisedAlert:
    iteration: int
    alert: Alert


def trainings(session: Session, *, run_id: int) -> list[Training]:
    """Every iteration but the base, in order."""
    last_step = (
        select(func.max(TrainingStep.step))
        .where(TrainingStep.iteration_id == Iteration.id)
        .correlate(Iteration)
        .scalar_subquery()
    )
    query = (
        select(Iteration.number, Iteration.id, last_step, Iteration.training)
        .where(Iteration.run_id == run_id, Iteration.number > 0)
        .order_by(col(Iteration.number))
    )
    return [Training(*row) for row in session.exec(query).all()]


def run_alerts(session: Session, *, run_id: int, limit: int | None = None) -> list[RaisedAlert]:
    """Of all iterations, newest first."""
    query = (
        select(Iteration.number, Alert)
        .join(Alert, col(Alert.iteration_id) == Iteration.id)
        .where(Iteration.run_id == run_id)
        .order_by(col(Alert.created_at).desc(), col(Iteration.number).desc(), col(Alert.kind))
        .limit(limit)
    )
    return [RaisedAlert(number, alert) for number, alert in session.exec(query)]


def count_alerts(session: Session, *, run_id: int) -> int:
    query = (
        select(func.count())
        .select_from(Alert)
        .join(Iteration, col(Iteration.id) == Alert.iteration_id)
        .where(Iteration.run_id == run_id)
    )
    return session.exec(query).one()


def newest_review(session: Session) -> int:
    """Changes when anybody reviews a pair of any run."""
    return session.exec(select(func.max(Review.id))).one() or 0


def funnel(session: Session, *, run_id: int, number: int) -> Funnel | None:
    """None when the run has no such iteration."""
    row = get_iteration(session, run_id=run_id, number=number)
    if row is None or row.id is None:
        return None
    verdicts = _verdicts(session, row.id)
    pairs, gold_tasks = _pairs(session, row.id) if row.paired_at else (None, None)
    return Funnel(
        tasks=session.get_one(Run, run_id).num_train,
        samples=sum(verdicts.values()),
        graded=sum(n for kind, n in verdicts.items() if kind not in (None, HARNESS_ERROR)),
        mixed_tasks=_mixed_tasks(session, row.id),
        gold_tasks=gold_tasks,
        pairs=pairs,
        kept_pairs=None if pairs is None else pairs - _vetoed(session, row),
        trained_pairs=row.training["num_pairs"] if row.training else None,
    )


def _verdicts(session: Session, iteration_id: int) -> dict[str | None, int]:
    """Of the train samples; those without a verdict are under None."""
    query = (
        select(Sample.verdict, func.count())
        .where(Sample.iteration_id == iteration_id, Sample.split == "train")
        .group_by(col(Sample.verdict))
    )
    return dict(session.exec(query).all())


def _mixed_tasks(session: Session, iteration_id: int) -> int:
    """Tasks with correct and incorrect programs: two values of `is_correct`."""
    is_correct = case((col(Sample.verdict) == "correct", 1), else_=0)
    tasks = (
        select(Sample.task_id)
        .where(Sample.iteration_id == iteration_id, Sample.split == "train")
        .where(col(Sample.verdict) != HARNESS_ERROR, col(Sample.flaky).is_(False))
        .group_by(Sample.task_id)
        .having(func.min(is_correct) < func.max(is_correct))
        .subquery()
    )
    return session.exec(select(func.count()).select_from(tasks)).one()


def _pairs(session: Session, iteration_id: int) -> tuple[int, int]:
    """How many pairs there are, and how many tasks are paired by their gold."""
    gold = select(func.count(func.distinct(PreferencePair.task_id))).where(
        PreferencePair.iteration_id == iteration_id, col(PreferencePair.chosen_index).is_(None)
    )
    pairs = select(func.count()).where(PreferencePair.iteration_id == iteration_id)
    return session.exec(pairs).one(), session.exec(gold).one()


def _vetoed(session: Session, row: Iteration) -> int:
    """As they trained, once they have."""
    if row.review:
        return int(row.review["num_removed"])
    query = select(func.count()).where(
        PreferencePair.iteration_id == row.id, PreferencePair.state == "vetoed"
    )
    return session.exec(query).one()
