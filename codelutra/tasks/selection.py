"""Which tasks of a set a run uses."""

from collections.abc import Sequence

from codelutra.config import RefineConfig
from codelutra.errors import TaskError
from codelutra.tasks.task import Task


def select_tasks(tasks: Sequence[Task], config: RefineConfig) -> list[Task]:
    """The tasks a run uses; a limited number is spread evenly over the set."""
    chosen: list[Task] = []
    for split, limit in (("train", config.max_train), ("heldout", config.max_heldout)):
        part = [task for task in tasks if task.split == split]
        if not part:
            raise TaskError(f"task set {config.tasks} has no {split} tasks: mark some with `split`")
        chosen += _spread(part, limit or len(part))
    return chosen


def _spread(tasks: list[Task], limit: int) -> list[Task]:
    limit = min(limit, len(tasks))
    return [tasks[position * len(tasks) // limit] for position in range(limit)]
