"""A small task set and files of pairs, for the tests of their import and export."""

import json
from pathlib import Path
from typing import Any

PROMPT = "# What is {0} plus {0}?\n"


def write_set(path: Path, train: int = 6) -> Path:
    """`train` training tasks named train-0, ..., one validation task and one held-out task."""
    names = [f"train-{n}" for n in range(train)]
    rows = [
        {"task_id": name, "kind": "python", "split": name.split("-")[0],
         "prompt": PROMPT.format(n), "gold": f"result = {2 * n}"}
        for n, name in enumerate([*names, "validation-0", "heldout-0"])
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_rows(path: Path, *rows: Any) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def good(n: int = 0, **changes: Any) -> dict[str, Any]:
    """A pair of task train-N."""
    row = {"task_id": f"train-{n}", "chosen": f"result = {n} + {n}", "rejected": "result = -1"}
    return {**row, **changes}


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
