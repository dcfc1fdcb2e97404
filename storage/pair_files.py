"""Reading all pairs of a run, for files and to know them again; in parts, for there may be many."""

from collections.abc import Iterator, Sequence

from sqlmodel import Session, col, select

from storage import reviews
from storage.models import Adapter, Iteration
from storage.pair_models import PreferencePair, Trial
from storage.pair_queue import warnings_of

AT_ONCE = 1000
Noted = tuple[PreferencePair, Sequence[str], str]  # its warnings, the verdict of the rejected


def as_they_are(
    session: Session, *, run_id: int, iteration_id: int, states: Sequence[str] = ()
) -> Iterator[Noted]:
    """The iteration's pairs, those in one of `states` where any are named."""
    last = 0
    while rows := _part(session, run_id, iteration_id, states, last):
        last = rows[-1].id or 0
        yield from _noted(session, rows)
        session.expunge_all()


def as_trained_on(session: Session, *, iteration_id: int) -> Iterator[Noted]:
    """The iteration's pairs as they were when its training began."""
    rows = reviews.frozen_pairs(session, iteration_id=iteration_id)
    for start in range(0, len(rows), AT_ONCE):
        yield from _noted(session, rows[start : start + AT_ONCE])


def texts(session: Session, *, run_id: int) -> Iterator[tuple[str, str | None, str, str]]:
    """(task_id, prompt, chosen, rejected) of every pair of the run, whatever became of it."""
    query = select(
        PreferencePair.task_id,
        PreferencePair.prompt,
        PreferencePair.chosen,
        PreferencePair.rejected,
    ).where(PreferencePair.run_id == run_id)
    for row in session.exec(query.execution_options(yield_per=AT_ONCE)):
        yield row[0], row[1], row[2], row[3]


def adapters(session: Session, *, run_id: int) -> dict[int, str]:
    """The sha256 of what each iteration trained, by its number."""
    query = (
        select(Iteration.number, Adapter.sha256)
        .join(Adapter, col(Adapter.iteration_id) == Iteration.id)
        .where(Iteration.run_id == run_id)
    )
    return dict(session.exec(query).all())


def _part(
    session: Session, run_id: int, iteration_id: int, states: Sequence[str], last: int
) -> Sequence[PreferencePair]:
    query = select(PreferencePair).where(  # of the run, for its index
        PreferencePair.run_id == run_id,
        PreferencePair.iteration_id == iteration_id,
        col(PreferencePair.id) > last,
    )
    if states:
        query = query.where(col(PreferencePair.state).in_(states))
    return session.exec(query.order_by(col(PreferencePair.id)).limit(AT_ONCE)).all()


def _noted(session: Session, rows: Sequence[PreferencePair]) -> Iterator[Noted]:
    warned = warnings_of(session, [row.id or 0 for row in rows])
    edits = [row.rejected_trial_id for row in rows if row.rejected_trial_id]
    tried: dict[int | None, str] = {}
    for trial in session.exec(select(Trial).where(col(Trial.id).in_(edits))) if edits else ():
        tried[trial.id] = str((trial.results or [{}])[0].get("verdict", ""))
    for row in rows:
        edited = tried.get(row.rejected_trial_id) if row.rejected_trial_id else None
        yield row, warned.get(row.id or 0, ()), edited or row.rejected_verdict
