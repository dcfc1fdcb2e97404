"""How often the tasks of a set were solved, over all runs on it."""

from sqlalchemy import case
from sqlmodel import Session, col, func, select

from storage.models import Iteration, Run, Sample
from storage.queries import HARNESS_ERROR


def solved_counts(session: Session, *, tasks: str) -> dict[str, tuple[int, int]]:
    """Correct and graded programs by task_id; harness errors are neither."""
    is_of_set = col(Run.config)["tasks"].as_string() == tasks
    query = (
        select(
            Sample.task_id,
            func.sum(case((col(Sample.verdict) == "correct", 1), else_=0)),
            func.count(),
        )
        .join(Iteration, col(Iteration.id) == Sample.iteration_id)
        .join(Run, col(Run.id) == Iteration.run_id)
        .where(is_of_set, col(Sample.verdict).is_not(None), Sample.verdict != HARNESS_ERROR)
        .group_by(Sample.task_id)
    )
    return {task_id: (int(solved), int(n)) for task_id, solved, n in session.exec(query)}
