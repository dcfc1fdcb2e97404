"""Batches of prompts through several states: asked for by a page, carried out by the worker."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select, update

from storage import errands, jobs
from storage.compare_models import Batch
from storage.models import utc_now
from storage.run_status import RunStatus


def submit(session: Session, batch: Batch) -> int:
    """Queued in the session's transaction; returns its number."""
    session.add(batch)
    session.flush()
    assert batch.id is not None
    errands.enqueue(
        session, workflow=jobs.BATCH_WORKFLOW, queue=jobs.BATCH_QUEUE,
        workflow_id=workflow_of(batch.id), row_id=batch.id,
    )  # fmt: skip
    return batch.id


def get(session: Session, *, batch_id: int) -> Batch | None:
    return session.get(Batch, batch_id)


def newest(session: Session) -> Batch | None:
    return session.exec(select(Batch).order_by(col(Batch.id).desc()).limit(1)).first()


def status(batch: Batch) -> RunStatus:
    assert batch.id is not None
    return RunStatus.COMPLETED if batch.finished_at else errands.status(workflow_of(batch.id))


def error(batch: Batch) -> str:
    assert batch.id is not None
    return errands.error(workflow_of(batch.id))


def stop(batch_id: int) -> None:
    jobs.client().cancel_workflow(workflow_of(batch_id))


def report(session: Session, *, batch_id: int, note: str, done: int, total: int) -> None:
    change = update(Batch).where(col(Batch.id) == batch_id)
    session.connection().execute(change.values(note=note, done=done, total=total))


def finish(session: Session, *, batch_id: int, scores: Sequence[dict[str, Any]], path: str) -> None:
    row = session.get_one(Batch, batch_id)
    row.scores, row.path, row.note, row.finished_at = list(scores), path, "", utc_now()
    session.flush()


def workflow_of(batch_id: int) -> str:
    return f"batch-{batch_id}"
