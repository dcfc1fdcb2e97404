"""Grades a file of completions through the same sandbox as a run, in input order."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from codelutra.asserts import weak_proof
from codelutra.config import SandboxConfig
from codelutra.errors import TaskError
from codelutra.grading import Grader
from codelutra.records import ExtractionRule, Sample
from codelutra.sandbox import Sandbox
from codelutra.tasks.task import Task

ROWS_AT_ONCE = 500
PLAIN = (ExtractionRule.BARE, ExtractionRule.EMPTY)


def judge(
    tasks: Mapping[str, Task], predictions: Path, out: Path
) -> tuple[list[str], Counter[str]]:
    """Write {"task_id", "index", "verdict", "detail", "seconds"} a row.

    Returns the broken rows and how many rows have which verdict.

    `index` counts the rows of a task from 0. Where there is something to say: `output` (what the
    program printed), `extraction` (how the program was found, when not as the whole text), `flaky`
    (the verdict flipped when it was run again), `weak_proof` (the task's tests run beside the
    program), `unfenced` (no sandbox). A broken row (a message with its line number) is left out
    and the rest is graded.
    """
    broken: list[str] = []
    counts: Counter[str] = Counter()
    samples = list(_samples(tasks, predictions, broken))
    if not samples and not broken:
        raise TaskError(f"{predictions} is empty: write one JSON object a line")
    with (
        out.open("w", encoding="utf-8") as file,
        Sandbox(SandboxConfig()) as sandbox,
        tqdm(desc="judge", total=len(samples)) as bar,
    ):
        grader = Grader(sandbox)
        for start in range(0, len(samples), ROWS_AT_ONCE):
            batch = samples[start : start + ROWS_AT_ONCE]
            verdicts = grader.grade(tasks, batch)
            for sample in batch:
                verdict = verdicts[sample.key]
                counts[verdict.kind.value] += 1
                row: dict[str, Any] = {
                    "task_id": sample.task_id,
                    "index": sample.index,
                    "verdict": verdict.kind.value,
                    "detail": verdict.detail,
                    "seconds": round(verdict.seconds, 4),
                }
                marks = {
                    "output": verdict.output,
                    "extraction": "" if verdict.extraction in PLAIN else verdict.extraction,
                    "flaky": verdict.flaky,
                    "weak_proof": weak_proof(tasks[sample.task_id]),
                    "unfenced": not sandbox.is_fenced,
                }
                row |= {name: mark for name, mark in marks.items() if mark}
                file.write(json.dumps(row) + "\n")
            bar.update(len(batch))
    return broken, counts


def _samples(tasks: Mapping[str, Task], predictions: Path, broken: list[str]) -> Iterator[Sample]:
    seen: Counter[str] = Counter()
    with predictions.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            problem, row = _parse(line)
            if not problem and row["task_id"] not in tasks:
                problem = f"task_id {row['task_id']!r} is not in the task set"
            if problem:
                broken.append(f"{predictions}, line {number}: {problem}")
                continue
            yield Sample(row["task_id"], seen[row["task_id"]], row["completion"])
            seen[row["task_id"]] += 1


def _parse(line: str) -> tuple[str, dict[str, Any]]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg} at column {error.colno})", {}
    if not isinstance(row, dict):
        return "not a JSON object", {}
    for field in ("task_id", "completion"):
        if not isinstance(row.get(field), str):
            return f"`{field}` is missing or no text", {}
    return "", row
