"""Which tasks of a set a run uses."""

from collections.abc import Sequence

from codelutra.config import RefineConfig
from codelutra.errors import TaskError
from codelutra.tasks.task import Task


def select_tasks(tasks: Sequence[Task], config: RefineConfig) -> list[Task]:
    """The tasks a run uses, none in quarantine; a limited number is spread evenly over the set."""
    chosen: list[Task] = []
    left_out = set(config.quarantined)
    for split, limit in (("train", config.max_train), ("heldout", config.max_heldout)):
        whole = [task for task in tasks if task.split == split]
        if not whole:
            raise TaskError(f"task set {config.tasks} has no {split} tasks: mark some with `split`")
        part = [task for task in whole if task.task_id not in left_out]
        if not part:
            raise TaskError(
                f"all {len(whole):,} {split} tasks of {config.tasks} are in quarantine: "
                "release some on the Tasks tab"
            )
        chosen += _spread(part, limit or len(part))
    return chosen


def _spread(tasks: list[Task], limit: int) -> list[Task]:
    limit = min(limit, len(tasks))
    return [tasks[position * len(tasks) // limit] for position in range(limit)]
