"""Files of pairs that people give to a run: asked for by a page, carried out by the worker."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, func, select

from storage import errands, jobs, recording
from storage.db import StorageError
from storage.models import Adapter, Iteration, Run, utc_now
from storage.pair_models import PairImport
from storage.run_status import RunStatus


def submit(session: Session, wish: PairImport) -> int:
    """Queued in the session's transaction; returns its number."""
    session.add(wish)
    session.flush()
    assert wish.id is not None
    errands.enqueue(
        session, workflow=jobs.IMPORT_WORKFLOW, queue=jobs.IMPORT_QUEUE,
        workflow_id=workflow_of(wish.id), row_id=wish.id,
    )  # fmt: skip
    return wish.id


def get(session: Session, *, import_id: int) -> PairImport | None:
    return session.get(PairImport, import_id)


def newest(session: Session, *, run_id: int) -> PairImport | None:
    query = select(PairImport).where(PairImport.run_id == run_id)
    return session.exec(query.order_by(col(PairImport.id).desc()).limit(1)).first()


def of_comparison(session: Session, *, comparison_id: int) -> PairImport | None:
    """The newest."""
    query = select(PairImport).where(PairImport.comparison_id == comparison_id)
    return session.exec(query.order_by(col(PairImport.id).desc()).limit(1)).first()


def status(wish: PairImport) -> RunStatus:
    assert wish.id is not None
    if wish.finished_at:
        return RunStatus.COMPLETED
    return errands.status(workflow_of(wish.id))


def error(wish: PairImport) -> str:
    """Why it failed, in one line."""
    assert wish.id is not None
    return errands.error(workflow_of(wish.id))


def set_done(session: Session, *, import_id: int, done: int, total: int) -> None:
    wish = session.get_one(PairImport, import_id)
    wish.done, wish.total = done, total
    session.flush()


def finish(session: Session, *, import_id: int, result: dict[str, Any]) -> None:
    wish = session.get_one(PairImport, import_id)
    wish.result, wish.finished_at = result, utc_now()
    session.flush()


def open_iteration(session: Session, *, run_id: int, last: int) -> int:
    """The number of the iteration that trains next; StorageError when none of `last` is left."""
    if jobs.status(run_id) is RunStatus.COMPLETED:
        raise StorageError(f"run {run_id} is completed: no iteration of it will train on pairs")
    begun = (
        select(func.max(Iteration.number))
        .outerjoin(Adapter, col(Adapter.iteration_id) == Iteration.id)
        .where(Iteration.run_id == run_id)
        .where(col(Iteration.frozen_review).is_not(None) | col(Adapter.iteration_id).is_not(None))
    )
    number = (session.exec(begun).one() or 0) + 1
    if number > last:
        raise StorageError(
            f"the last iteration of run {run_id}, {last}, has begun to train: no later one is "
            "there to train on further pairs"
        )
    return number


def add(
    session: Session, *, run_id: int, last: int, rows: Sequence[dict[str, Any]], is_unfenced: bool
) -> int:
    """Rows as `recording.insert_pairs` takes them join the iteration that trains next: its number.

    While this session lasts its training does not begin.
    """
    number = open_iteration(session, run_id=run_id, last=last)
    iteration_id = recording.ensure_iteration(session, run_id=run_id, number=number)
    query = select(Iteration).where(Iteration.id == iteration_id).with_for_update()
    iteration = session.exec(query.execution_options(populate_existing=True)).one()
    if iteration.frozen_review is not None:
        raise StorageError(f"iteration {number} has just begun to train: import them once more")
    recording.insert_pairs(session, iteration_id=iteration_id, rows=rows)
    if is_unfenced:
        session.get_one(Run, run_id).is_unfenced = True
        session.flush()
    return number


def workflow_of(import_id: int) -> str:
    return f"import-{import_id}"
