"""One pair with its evidence, who looks at it, and how far the review of a run is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from storage.models import Adapter, Iteration, Sample, utc_now
from storage.pair_models import PreferencePair
from storage.pair_queue import HELD_S, is_free, warnings_of


@dataclass(frozen=True)
class Evidence:
    """A pair with what is known of its programs. A side without a sample is a gold or imported."""

    pair: PreferencePair
    iteration: int
    has_trained: bool  # on what the pair was when the training began
    warnings: tuple[str, ...]
    chosen: Sample | None
    rejected: Sample | None
    writer: Adapter | None  # that wrote the samples; None is the base model
    num_correct: int
    num_graded: int


def get(session: Session, *, pair_id: int) -> PreferencePair | None:
    return session.get(PreferencePair, pair_id)


def evidence(session: Session, *, pair_id: int) -> Evidence | None:
    pair = session.get(PreferencePair, pair_id)
    if pair is None:
        return None
    iteration = session.get_one(Iteration, pair.iteration_id)
    correct, graded = _solved(session, pair)
    return Evidence(
        pair,
        iteration.number,
        iteration.frozen_review is not None,
        tuple(warnings_of(session, [pair_id]).get(pair_id, ())),
        _sample(session, pair, pair.chosen_index),
        _sample(session, pair, pair.rejected_index),
        _writer(session, iteration),
        correct,
        graded,
    )


def states(session: Session, *, run_id: int) -> dict[str, int]:
    """How many pairs of a run are in each state, for a run's progress."""
    query = (
        select(PreferencePair.state, func.count())
        .where(PreferencePair.run_id == run_id)
        .group_by(col(PreferencePair.state))
    )
    return dict(session.exec(query).all())


def reviewers(session: Session, *, run_id: int) -> list[str]:
    """Who reviewed a pair of the run, by name; one step through the index a person."""
    column, found = col(PreferencePair.reviewer), list[str]()
    name: str | None = ""
    while name is not None:
        later = select(func.min(column)).where(PreferencePair.run_id == run_id, column > name)
        name = session.exec(later).one()
        found += [name] if name else []
    return found


def hold(session: Session, *, pair_id: int, holder: str) -> str:
    """Say that `holder` looks at a pair; returns who else does, '' when nobody.

    Asked every other second, so nothing is written while what is there is fresh.
    """
    pair = session.get(PreferencePair, pair_id)
    if pair is None:
        return ""
    fresh = utc_now() - timedelta(seconds=HELD_S / 4)
    if pair.holder == holder and pair.held_at and pair.held_at > fresh:
        return ""
    table = PreferencePair.__table__  # type: ignore[attr-defined]
    taken = (
        table.update()
        .where(table.c.id == pair_id, is_free(holder))
        .values(holder=holder, held_at=utc_now())
    )
    return "" if session.connection().execute(taken).rowcount else pair.holder


def held_since(pair: PreferencePair, holder: str) -> datetime | None:
    """Since when somebody else looks at it."""
    is_held = pair.holder not in ("", holder) and pair.held_at is not None
    fresh = is_held and pair.held_at and pair.held_at > utc_now() - timedelta(seconds=HELD_S)
    return pair.held_at if fresh else None


def _sample(session: Session, pair: PreferencePair, index: int | None) -> Sample | None:
    if index is None:
        return None
    query = select(Sample).where(
        Sample.iteration_id == pair.iteration_id,
        Sample.split == "train",
        Sample.task_id == pair.task_id,
        Sample.index == index,
    )
    return session.exec(query).one_or_none()


def _solved(session: Session, pair: PreferencePair) -> tuple[int, int]:
    """Correct and graded programs of the pair's task in its iteration."""
    query = (
        select(Sample.verdict, func.count())
        .where(
            Sample.iteration_id == pair.iteration_id,
            Sample.split == "train",
            Sample.task_id == pair.task_id,
            col(Sample.verdict).not_in(("harness_error",)),
        )
        .group_by(col(Sample.verdict))
    )
    verdicts = dict(session.exec(query).all())
    return verdicts.get("correct", 0), sum(verdicts.values())


def _writer(session: Session, iteration: Iteration) -> Adapter | None:
    query = (
        select(Adapter)
        .join(Iteration, col(Iteration.id) == Adapter.iteration_id)
        .where(Iteration.run_id == iteration.run_id, Iteration.number == iteration.number - 1)
    )
    return session.exec(query).one_or_none()
