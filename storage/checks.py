"""Checks of task sets: asked for by the page, carried out by the worker beside its runs."""

from typing import Any

from sqlmodel import Session, col, select

from storage import db, errands, jobs, run_status
from storage.db import StorageError
from storage.models import TaskCheck, utc_now
from storage.run_status import RunStatus


def submit(*, tasks: str, total: int) -> int:
    """Queues a check and returns its number; StorageError when the set is being checked."""
    with db.open_session() as session:
        newest = newest_check(session, tasks=tasks)
        if newest and status(newest) in run_status.UNDER_WAY:
            raise StorageError(f"{tasks} is being checked already")
        check = TaskCheck(tasks=tasks, total=total)
        session.add(check)
        session.flush()
        assert check.id is not None
        errands.enqueue(
            session, workflow=jobs.CHECK_WORKFLOW, queue=jobs.CHECK_QUEUE,
            workflow_id=workflow_of(check.id), row_id=check.id,
        )  # fmt: skip
        return check.id


def cancel(check_id: int) -> None:
    """The worker stops within a second or two; what was found until then is dropped."""
    jobs.client().cancel_workflow(workflow_of(check_id))


def newest_check(session: Session, *, tasks: str) -> TaskCheck | None:
    query = select(TaskCheck).where(TaskCheck.tasks == tasks).order_by(col(TaskCheck.id).desc())
    return session.exec(query.limit(1)).first()


def newest_findings(session: Session, *, tasks: str) -> TaskCheck | None:
    """The newest check of the set that came to its end."""
    query = (
        select(TaskCheck)
        .where(TaskCheck.tasks == tasks, col(TaskCheck.finished_at).is_not(None))
        .order_by(col(TaskCheck.id).desc())
    )
    return session.exec(query.limit(1)).first()


def status(check: TaskCheck) -> RunStatus:
    assert check.id is not None
    return errands.status(workflow_of(check.id))


def error(check: TaskCheck) -> str:
    """Why it failed, in one line."""
    assert check.id is not None
    return errands.error(workflow_of(check.id))


def get_check(session: Session, *, check_id: int) -> TaskCheck:
    return session.get_one(TaskCheck, check_id)


def set_done(session: Session, *, check_id: int, done: int) -> None:
    session.get_one(TaskCheck, check_id).done = done
    session.flush()


def finish(session: Session, *, check_id: int, findings: list[dict[str, Any]]) -> None:
    check = session.get_one(TaskCheck, check_id)
    check.findings, check.finished_at, check.done = findings, utc_now(), check.total
    session.flush()


def workflow_of(check_id: int) -> str:
    return f"check-{check_id}"
