"""Adapters that runs have trained, for choosing among them."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from storage.models import Adapter, Iteration, Run

LIMIT = 200


def adapters(
    session: Session, *, run_id: int | None = None, number: int | None = None
) -> Sequence[tuple[Run, Iteration, Adapter]]:
    """Newest run first, its newest iteration first."""
    query = (
        select(Run, Iteration, Adapter)
        .join(Iteration, col(Iteration.run_id) == Run.id)
        .join(Adapter, col(Adapter.iteration_id) == Iteration.id)
        .order_by(col(Run.id).desc(), col(Iteration.number).desc())
        .limit(LIMIT)
    )
    if run_id is not None:
        query = query.where(Run.id == run_id)
    if number is not None:
        query = query.where(Iteration.number == number)
    return session.exec(query).all()
