"""HumanEval: the head and docstring of a function, its body, and a `check` that is never shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.rows import text_of

TEMPLATE = "{head}"


def load(path: Path, rows: Sequence[Mapping[str, Any]]) -> Published:
    drafts = [draft(row, f"{path}, row {number}") for number, row in enumerate(rows, 1)]
    return Published("humaneval", TEMPLATE, drafts)


def draft(row: Mapping[str, Any], where: str) -> Draft:
    head = text_of(row, "prompt", where)
    task = {
        "task_id": text_of(row, "task_id", where).lower().replace("/", "-"),
        "kind": "python",
        "gold": head + text_of(row, "canonical_solution", where),
        "tests": [text_of(row, "test", where)],
        "entry_point": text_of(row, "entry_point", where),
        "prefix": head,
    }
    return Draft(task, {"head": head})
