"""Runs every gold program before anyone trusts an accuracy, and lists what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any

from codelutra.asserts import execute, weak_proof
from codelutra.config import SandboxConfig
from codelutra.grading import gold_program, grade, never, one_line
from codelutra.languages import language_of
from codelutra.records import VerdictKind
from codelutra.sandbox import ExecutionResult, Sandbox
from codelutra.tasks.findings import PROBLEMS, Finding
from codelutra.tasks.task import Task

CHUNK = 50  # golds between two looks at the stop button
SLOW_SHARE = 0.25  # of the CPU time a program may have: a busier machine could time it out


def find_problems(
    tasks: Sequence[Task],
    report: Callable[[int], None] = lambda done: None,
    should_stop: Callable[[], bool] = never,
) -> list[Finding]:
    """Runs each gold twice, and a query with its rows in two more orders.

    `report` is told how many tasks are done. Raises StopRequested within a chunk.
    """
    config = SandboxConfig()
    findings: list[Finding] = []
    with Sandbox(config) as sandbox:
        for start in range(0, len(tasks), CHUNK):
            chunk = tasks[start : start + CHUNK]
            findings += _look_at(chunk, sandbox, config.timeout_s, should_stop)
            report(start + len(chunk))
    return findings


def check_golds(tasks: Sequence[Task]) -> dict[str, Any]:
    started = monotonic()
    return summarise(tasks, find_problems(tasks), monotonic() - started)


def summarise(tasks: Sequence[Task], findings: Sequence[Finding], seconds: float) -> dict[str, Any]:
    """`gold_failed` has ids and reasons, the other lists have ids."""

    def ids(problem: str) -> list[str]:
        return [found.task_id for found in findings if found.problem == problem]

    return {
        "tasks": len(tasks),
        "gold_ok": len(tasks) - len(ids("failing")),
        "gold_failed": [
            {"task_id": found.task_id, "reason": found.reason}
            for found in findings
            if found.problem == "failing"
        ],
        "weak_proof": ids("weak_proof"),
        "empty_gold": ids("empty"),
        "nondeterministic": ids("nondeterministic"),
        "order_dependent": ids("order_dependent"),
        "slow": ids("slow"),
        "seconds": round(seconds, 2),
    }


def _look_at(
    tasks: Sequence[Task], sandbox: Sandbox, timeout_s: float, should_stop: Callable[[], bool]
) -> Iterator[Finding]:
    programs = [gold_program(task) for task in tasks]
    twice = execute(sandbox, 2 * programs, should_stop=should_stop)  # what judges both runs once
    first, again = twice[: len(tasks)], twice[len(tasks) :]
    pairs = {
        task.task_id: pair
        for task, program, result in zip(tasks, programs, first, strict=True)
        if result.outcome == "ok" and (pair := language_of(task.kind).variants(program, result))
    }
    turned = iter(
        execute(sandbox, [one for pair in pairs.values() for one in pair], should_stop=should_stop)
    )
    orders = {task_id: (next(turned), next(turned)) for task_id in pairs}
    for task, one, two in zip(tasks, first, again, strict=True):
        yield from _problems(task, one, two, orders.get(task.task_id), timeout_s)


def _problems(
    task: Task,
    first: ExecutionResult,
    again: ExecutionResult,
    orders: tuple[ExecutionResult, ExecutionResult] | None,
    timeout_s: float,
) -> Iterator[Finding]:
    def found(problem: str, reason: str) -> Finding:
        return Finding(task.task_id, problem, one_line(reason))

    if failure := _failure(task, first):
        yield found("failing", failure)
    elif other := _difference(task, first, again):
        yield found("nondeterministic", f"run again: {other}")
    elif (
        orders
        and all(result.outcome == "ok" for result in orders)
        and (other := _difference(task, *orders))
    ):
        yield found("order_dependent", f"with rows that tie the other way round: {other}")
    if not (failure or task.is_tested) and (
        emptiness := language_of(task.kind).emptiness(first.value)
    ):
        yield found("empty", emptiness)
    limit_s = max(timeout_s, task.timeout_s)
    if not failure and first.seconds > SLOW_SHARE * limit_s:
        yield found("slow", f"{first.seconds:.1f} s of the {limit_s:g} s of CPU time")
    if weak_proof(task):
        yield found("weak_proof", PROBLEMS["weak_proof"])


def _failure(task: Task, result: ExecutionResult) -> str:
    if result.outcome != "ok":
        return f"{result.outcome}: {result.detail}"
    return f"wrong_result: {result.value}" if task.is_tested and result.value else ""


def _difference(task: Task, first: ExecutionResult, other: ExecutionResult) -> str:
    verdict = grade(task, other, first)
    return "" if verdict.kind is VerdictKind.CORRECT else f"{verdict.kind.value}: {verdict.detail}"
