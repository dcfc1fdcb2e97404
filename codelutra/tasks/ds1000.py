"""DS-1000: Python questions on numpy, pandas and more, each with a harness that is never shown.

A row's `code_context` makes the inputs and, beside them, the answer: what becomes of it is in
`codelutra/harness.py`. Completions end where DS-1000's own post-processing cuts them.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError
from codelutra.harness import HarnessError, imported_modules, take_harness_apart
from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.rows import text_of

TEMPLATE = "{prompt}"
NO_DATA = {
    "matplotlib": "draws a figure, which is no data to compare outside the program's process",
    "torch": "gives tensors, which need PyTorch in the sandbox",
    "tensorflow": "gives tensors, which need TensorFlow in the sandbox",
}


def load(path: Path, rows: Sequence[Mapping[str, Any]]) -> Published:
    drafts, left_out = [], {}
    for number, row in enumerate(rows, 1):
        one = draft(row, f"{path}, row {number}")
        if reason := unfit(one.task):
            left_out[one.task["task_id"]] = reason
        else:
            drafts.append(one)
    return Published("ds1000", TEMPLATE, drafts, left_out)


def draft(row: Mapping[str, Any], where: str) -> Draft:
    about = row.get("metadata")
    if not isinstance(about, dict):
        raise TaskError(f"{where}: `metadata` is missing or no object")
    library = text_of(about, "library", f"{where}, metadata")
    task = {
        "task_id": f"ds1000-{about.get('problem_id')}",
        "kind": "python",
        "gold": text_of(row, "reference_code", where).strip("\n"),
        "tests": [text_of(row, "code_context", where)],
        "harness": "ds1000",
        "family": f"{library}-{about.get('perturbation_origin_id')}",  # siblings: one question
        "tags": [library, str(about.get("perturbation_type"))],
    }
    return Draft(task, {"prompt": text_of(row, "prompt", where)})


def unfit(task: Mapping[str, Any]) -> str:
    """Why the task cannot be judged here; '' when it can."""
    try:
        take_harness_apart(task["tests"][0])
        modules = imported_modules(task["tests"][0]) | imported_modules(task["gold"])
    except HarnessError as error:
        return str(error)
    for module in sorted(modules):
        if module in NO_DATA:
            return NO_DATA[module]
        if importlib.util.find_spec(module) is None:
            return f"needs {module}, which is not installed"
    return ""
