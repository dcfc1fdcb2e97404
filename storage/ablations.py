"""Runs that were queued together, to be compared with one another."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from storage.models import Ablation, Run


def create(session: Session, *, name: str) -> Ablation:
    """The group alone: its runs are submitted with its id in the same transaction."""
    made = Ablation(name=name)
    session.add(made)
    session.flush()
    return made


def of_run(session: Session, *, run_id: int) -> Ablation | None:
    run = session.get(Run, run_id)
    return session.get(Ablation, run.ablation_id) if run and run.ablation_id else None


def runs_of(session: Session, *, ablation_id: int) -> Sequence[Run]:
    """In the order in which they were queued."""
    query = select(Run).where(Run.ablation_id == ablation_id).order_by(col(Run.id))
    return session.exec(query).all()
