"""Task sets by name or file. Loading one downloads nothing."""

from pathlib import Path

from codelutra.config import STARTER, home
from codelutra.errors import TaskError
from codelutra.tasks.jsonl import load_jsonl
from codelutra.tasks.selection import select_tasks
from codelutra.tasks.stored import load_stored, stored_names
from codelutra.tasks.task import Task

__all__ = ["Task", "list_task_sets", "load_tasks", "select_tasks"]


def list_task_sets() -> list[str]:
    """Names that `load_tasks` takes beside a path to a JSONL file."""
    return [STARTER, *stored_names()]


def load_tasks(name_or_path: str) -> list[Task]:
    """The tasks of a built-in or imported set or a JSONL file; TaskError when there are none."""
    if name_or_path == STARTER:
        from codelutra.starter import starter_tasks

        return [Task.model_validate(row) for row in starter_tasks(home())]
    if name_or_path in stored_names():
        return load_stored(name_or_path)
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return load_jsonl(path)
    known = ", ".join(list_task_sets())
    raise TaskError(f"no task set {name_or_path!r}: give one of [{known}] or a JSONL file")
