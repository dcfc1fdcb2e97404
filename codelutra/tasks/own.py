"""Somebody's own tasks: rows with the fields of `Task`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.jsonl import task_of_row


def load(path: Path, rows: Sequence[Mapping[str, Any]]) -> Published:
    drafts = []
    for number, row in enumerate(rows, 1):
        task = task_of_row(row, where=f"{path}, row {number}", folder=path.parent)
        fields = task.model_dump(mode="json", exclude={"prompt"}, exclude_defaults=True)
        if "split" in row:
            fields["split"] = task.split
        drafts.append(Draft(fields, {"prompt": task.prompt}))
    return Published("own", "{prompt}", drafts)
