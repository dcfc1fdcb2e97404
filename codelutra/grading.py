"""Execution result and gold result -> Verdict. The only place that sees both."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence

import sqlglot
from sqlglot.errors import SqlglotError

from codelutra.compare_answers import answers_difference
from codelutra.compare_tables import tables_difference
from codelutra.prompting import extract_program
from codelutra.records import Sample, SampleKey, Verdict, VerdictKind
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.tasks.task import Task

MAX_DETAIL = 300  # characters
LOAD_SENSITIVE = ("MemoryError", "killed by SIGKILL")  # a busy machine can cause these, too


def never() -> bool:
    return False


def grade(task: Task, result: ExecutionResult, gold: ExecutionResult) -> Verdict:
    """The verdict of a program that was executed; a gold that fails is our fault, not its."""
    if gold.outcome != "ok":
        text = f"gold fails: {gold.outcome}: {gold.detail}"
        return Verdict(VerdictKind.HARNESS_ERROR, one_line(text), result.seconds)
    if result.outcome != "ok":
        return Verdict(VerdictKind(result.outcome), one_line(result.detail), result.seconds)
    if task.kind == "sql":
        difference = tables_difference(gold.value, result.value, is_ordered(task.gold))
    else:
        difference = answers_difference(gold.value, result.value)
    if difference is None:
        return Verdict(VerdictKind.CORRECT, "", result.seconds)
    return Verdict(VerdictKind.WRONG_RESULT, one_line(difference), result.seconds)


def grade_samples(
    tasks: Mapping[str, Task],
    samples: Sequence[Sample],
    sandbox: Sandbox,
    *,
    on_done: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = never,
) -> dict[SampleKey, Verdict]:
    """A verdict for every sample. Each distinct program runs once, each gold once a sandbox.

    `on_done` hears how many samples are done, in proportion to the programs run. Raises
    StopRequested, and KeyError for a sample whose task is not in `tasks`.
    """
    programs = {sample.key: program_of(tasks[sample.task_id], sample) for sample in samples}
    golds = {task_id: gold_program(tasks[task_id]) for task_id, _ in programs}
    wanted = {program for program in golds.values() if program not in sandbox.gold_results}
    wanted |= {program for program in programs.values() if program is not None}
    results = sandbox.gold_results | execute_all(
        sorted(wanted, key=in_sandbox_order), len(samples), sandbox, on_done, should_stop
    )
    for gold in golds.values():
        if results[gold].outcome != "harness_error":
            sandbox.gold_results[gold] = results[gold]
    verdicts = {}
    for sample in samples:
        program = programs[sample.key]
        verdicts[sample.key] = (
            Verdict(VerdictKind.NO_CODE, "no program in the completion")
            if program is None
            else grade(tasks[sample.task_id], results[program], results[golds[sample.task_id]])
        )
    return verdicts


def program_of(task: Task, sample: Sample) -> Program | None:
    source = extract_program(sample.completion, task.kind)
    return with_inputs(task, source) if source else None


def gold_program(task: Task) -> Program:
    return with_inputs(task, task.gold)


def with_inputs(task: Task, source: str) -> Program:
    return Program(task.kind, source, task.database, task.setup, task.answer)


def in_sandbox_order(program: Program) -> tuple[str, str, str]:
    """Programs on the same inputs follow one another, whatever a set's order."""
    return program.database, program.setup, program.source


def execute_all(
    programs: Sequence[Program],
    num_samples: int,
    sandbox: Sandbox,
    on_done: Callable[[int], None] | None,
    should_stop: Callable[[], bool],
) -> dict[Program, ExecutionResult]:
    """Runs all; then, alone, those whose outcome may be the machine's doing."""

    def report(finished: int) -> None:
        if on_done is not None:
            on_done(num_samples * finished // len(programs))

    executed = sandbox.execute(programs, report, should_stop)
    results = dict(zip(programs, executed, strict=True))
    for program, result in results.items():
        if needs_second_run(result):
            results[program] = sandbox.execute([program], should_stop=should_stop)[0]
    return results


def needs_second_run(result: ExecutionResult) -> bool:
    if result.outcome in ("timeout", "harness_error"):
        return True
    return result.outcome == "runtime_error" and result.detail.startswith(LOAD_SENSITIVE)


@functools.lru_cache(maxsize=10_000)
def is_ordered(gold: str) -> bool:
    """Does the outermost query of the gold have an ORDER BY?"""
    try:
        return sqlglot.parse_one(gold, read="sqlite").args.get("order") is not None
    except SqlglotError:  # it rejects some valid SQLite
        return re.search(r"\border\s+by\b[^)]*$", gold, re.IGNORECASE) is not None


def one_line(text: str) -> str:
    """Printable, without line breaks, at most MAX_DETAIL characters."""
    text = "".join(mark if mark.isprintable() else escaped(mark) for mark in text)
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"


def escaped(mark: str) -> str:
    return mark.encode("unicode_escape", "surrogatepass").decode("ascii")
