"""How often the programs that were sampled for each training task are correct: pass@k's counts."""

from collections import Counter

from sqlalchemy import case
from sqlmodel import Session, col, func, select

from storage.models import Iteration, Sample
from storage.queries import HARNESS_ERROR

Counts = dict[tuple[int, int], int]  # tasks by (graded, correct) programs


def solved_counts_by_policy(
    session: Session, *, run_id: int, num_samples: int
) -> dict[int, Counts]:
    """By policy: iteration p + 1 samples from policy p.

    Only the first `num_samples` of a task count. On a low yield more are drawn for the tasks that
    are not solved yet: counting those would favour tasks that are hard.
    """
    is_correct = case((col(Sample.verdict) == "correct", 1), else_=0)
    by_task = (
        select(Iteration.number, func.count().label("n"), func.sum(is_correct).label("c"))
        .join(Sample, col(Sample.iteration_id) == Iteration.id)
        .where(Iteration.run_id == run_id, Sample.split == "train", Sample.index < num_samples)
        .where(col(Sample.verdict).is_not(None), Sample.verdict != HARNESS_ERROR)
        .group_by(col(Iteration.number), Sample.task_id)
        .subquery()
    )
    columns = by_task.c.number, by_task.c.n, by_task.c.c
    query = select(*columns, func.count()).group_by(*columns)
    result: dict[int, Counts] = {}
    for number, graded, correct, tasks in session.exec(query):
        counts = result.setdefault(number - 1, Counter())
        counts[int(graded), int(correct)] += tasks
    return result
