"""The attempts of a run and what was asked of each; read and written by the job queue alone."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from storage.models import Request, Run


def add_request(session: Session, *, run: Run, action: str) -> None:
    assert run.id is not None
    session.add(Request(run_id=run.id, attempt=run.attempt, action=action))
    session.flush()


def last_requests(session: Session, *, run_ids: Sequence[int]) -> dict[tuple[int, int], str]:
    """The newest action by (run_id, attempt)."""
    query = (
        select(Request.run_id, Request.attempt, Request.action)
        .where(col(Request.run_id).in_(run_ids))
        .order_by(col(Request.id))
    )
    return {(run_id, attempt): action for run_id, attempt, action in session.exec(query)}


def bump_attempt(session: Session, *, run: Run) -> bool:
    """Claim the next attempt; False when somebody else just did."""
    table = Run.__table__  # type: ignore[attr-defined]
    statement = (
        table.update()
        .where(table.c.id == run.id, table.c.attempt == run.attempt)
        .values(attempt=run.attempt + 1, workflow_id=f"run-{run.id}-{run.attempt + 1}")
    )
    claimed = session.connection().execute(statement).rowcount == 1
    session.refresh(run)
    return claimed
