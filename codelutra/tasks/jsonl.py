"""Own task sets: one JSON object a line, the fields of `Task`; nothing is loaded by halves."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codelutra.errors import TaskError
from codelutra.tasks.rows import parse_line, read_text
from codelutra.tasks.task import Task


def load_jsonl(path: Path) -> list[Task]:
    """All tasks of `path`; database paths are relative to the file. Raises TaskError by line."""
    tasks: dict[str, Task] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        task = task_of_row(parse_line(line, where), where=where, folder=path.parent)
        if task.task_id in tasks:
            raise TaskError(f"{path}, line {number}: task_id {task.task_id!r} appears twice")
        tasks[task.task_id] = task
    if not tasks:
        raise TaskError(f"{path}: no tasks in it; write one JSON object a line")
    return list(tasks.values())


def task_of_row(row: Any, *, where: str, folder: Path) -> Task:
    """A task as somebody wrote it; a database's path is relative to `folder`."""
    try:
        task = Task.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise TaskError(f"{where}: {place + ': ' if place else ''}{message}") from error
    if task.kind != "sql":
        return task
    if not task.database:
        raise TaskError(f"{where}: a sql task needs `database`, the path of its SQLite file")
    database = (folder / task.database).resolve()
    if not database.is_file():
        raise TaskError(f"{where}: database {database} is missing")
    return task.model_copy(update={"database": str(database)})
