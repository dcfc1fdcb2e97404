"""What two policies made of the same held-out tasks, and their programs."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from storage.models import Iteration, Sample
from storage.queries import HARNESS_ERROR


@dataclass(frozen=True)
class Flip:
    """One task with the verdicts of both policies."""

    task_id: str
    before: str
    after: str

    @property
    def cell(self) -> str:
        """Of the flip matrix: fixed, broken, right or wrong (both times)."""
        was, now = self.before == "correct", self.after == "correct"
        if was == now:
            return "right" if now else "wrong"
        return "fixed" if now else "broken"


@dataclass(frozen=True)
class Flips:
    """Of the tasks that both policies were graded on; `num_*` count all that one of them was."""

    flips: list[Flip]  # in order of task_id
    num_before: int
    num_after: int


def heldout_flips(session: Session, *, before: int, after: int) -> Flips:
    """Of two iterations, by their ids, of one run or of two."""
    was, now = heldout_verdicts(session, before), heldout_verdicts(session, after)
    both = sorted(was.keys() & now.keys())
    return Flips([Flip(task, was[task], now[task]) for task in both], len(was), len(now))


def heldout_verdicts(session: Session, iteration_id: int) -> dict[str, str]:
    """By task_id; harness errors, and what is not graded yet, are left out."""
    query = select(Sample.task_id, Sample.verdict).where(
        Sample.iteration_id == iteration_id, Sample.split == "heldout"
    )
    found = session.exec(query).all()
    return {task: kind for task, kind in found if kind not in (None, HARNESS_ERROR)}


def heldout_program(session: Session, *, iteration_id: int, task_id: str) -> Sample | None:
    """The policy's greedy program for a task."""
    query = select(Sample).where(
        Sample.iteration_id == iteration_id,
        Sample.split == "heldout",
        Sample.task_id == task_id,
        Sample.index == 0,
    )
    return session.exec(query).one_or_none()


def scored_iterations(session: Session, *, run_ids: list[int]) -> dict[tuple[int, int], int]:
    """Ids of the iterations with held-out scores, by run and number, in this order."""
    query = (
        select(Iteration.run_id, Iteration.number, Iteration.id)
        .where(col(Iteration.run_id).in_(run_ids), col(Iteration.pass_at_1).is_not(None))
        .order_by(col(Iteration.run_id), col(Iteration.number))
    )
    return {(run, number): id for run, number, id in session.exec(query) if id is not None}
