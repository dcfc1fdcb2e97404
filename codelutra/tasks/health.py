"""Runs every gold program before anyone trusts an accuracy."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

from tqdm import tqdm

from codelutra.asserts import execute, weak_proof
from codelutra.config import SandboxConfig
from codelutra.grading import gold_program, grade
from codelutra.records import VerdictKind
from codelutra.sandbox import ExecutionResult, Sandbox
from codelutra.sandbox.sql_runner import Table
from codelutra.tasks.task import Task


def check_golds(tasks: Sequence[Task]) -> dict[str, Any]:
    """Run each gold twice; `gold_failed` has ids and reasons, the other lists have ids."""
    started = monotonic()
    programs = [gold_program(task) for task in tasks]
    with (
        Sandbox(SandboxConfig()) as sandbox,
        tqdm(desc="golds", total=2 * len(programs)) as bar,
    ):
        first = execute(sandbox, programs, lambda done: _show(bar, done))
        again = execute(sandbox, programs, lambda done: _show(bar, len(tasks) + done))
    failed = [
        {"task_id": task.task_id, "reason": reason}
        for task, result in zip(tasks, first, strict=True)
        if (reason := _failure(task, result))
    ]
    runs = [(t, a, b) for t, a, b in zip(tasks, first, again, strict=True) if not _failure(t, a)]
    return {
        "tasks": len(tasks),
        "gold_ok": len(runs),
        "gold_failed": failed,
        "weak_proof": [task.task_id for task in tasks if weak_proof(task)],
        "empty_gold": [
            task.task_id for task, result, _ in runs if not task.is_tested and _is_empty(result)
        ],
        "nondeterministic": [
            task.task_id for task, a, b in runs if grade(task, b, a).kind is not VerdictKind.CORRECT
        ],
        "seconds": round(monotonic() - started, 2),
    }


def _failure(task: Task, result: ExecutionResult) -> str:
    if result.outcome != "ok":
        return f"{result.outcome}: {result.detail}"
    return f"wrong_result: {result.value}" if task.is_tested and result.value else ""


def _is_empty(result: ExecutionResult) -> bool:
    """No rows, no elements or no value: an answer that a wrong program gives by luck."""
    value = result.value
    if isinstance(value, Table):
        return not value.rows
    return value in (None, "") or (isinstance(value, list) and value[-1] == [])


def _show(bar: Any, done: int) -> None:
    bar.update(done - bar.n)
