"""What a batch asks: a run's own held-out tasks, those of another set, or a file of prompts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError, TaskError
from codelutra.tasks import load_tasks, select_tasks
from codelutra.tasks.task import Task


@dataclass(frozen=True)
class BatchTasks:
    """`beside`: what the run drew in the same batches as `tasks`."""

    tasks: Sequence[Task]
    beside: Sequence[Task] = ()


def tasks_for(config: RefineConfig, named: str) -> BatchTasks:
    """`named` is '' for the tasks that the run itself was scored on. Raises TaskError."""
    if not named or named == config.tasks:
        chosen = select_tasks(load_tasks(config.tasks), config)
        return BatchTasks(
            [task for task in chosen if task.split == "heldout"],
            [task for task in chosen if task.split == "validation"],
        )
    path = Path(named).expanduser()
    if path.is_file():
        return BatchTasks(read_prompts(path))
    found = [task for task in load_tasks(named) if task.split == "heldout"]
    if not found:
        raise TaskError(f"task set {named} has no held-out tasks")
    return BatchTasks(found)


def read_prompts(path: Path) -> list[Task]:
    """A JSON object a line: a `prompt` at least; one with a `gold` is a task, and judged."""
    tasks = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                tasks.append(_read(path, number, line))
    if not tasks:
        raise TaskError(f"{path} has no prompts")
    return tasks


def _read(path: Path, number: int, line: str) -> Task:
    try:
        row = json.loads(line)
        row = {"task_id": f"line-{number}", **row}
        if row.get("gold"):
            return Task.model_validate(row)
        if not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
            raise CodeLutraError("it has no `prompt`")
        return Task.model_construct(task_id=str(row["task_id"]), kind="", prompt=row["prompt"],
                                    gold="", split="heldout")  # fmt: skip
    except ValidationError as error:
        raise TaskError(f"{path} line {number}: {error.errors()[0]['msg']}") from error
    except (ValueError, TypeError, CodeLutraError) as error:
        raise TaskError(f"{path} line {number}: {error}") from error
