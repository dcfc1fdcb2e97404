"""Execution result and gold result -> Verdict. The only place that sees both."""

import functools
import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence, Set

import sqlglot
from sqlglot.errors import SqlglotError

from codelutra import asserts
from codelutra.compare_answers import answers_difference
from codelutra.compare_tables import tables_difference
from codelutra.prompting import extract_program
from codelutra.records import Sample, SampleKey, Verdict, VerdictKind
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.tasks.task import Task

MAX_DETAIL = 300  # characters
MAX_REMEMBERED = 100_000  # verdicts, some 100 MB of program texts
NO_PROGRAM = Verdict(VerdictKind.NO_CODE, "no program in the completion")
LOAD_SENSITIVE = ("MemoryError", "killed by SIGKILL")  # a busy machine can cause these, too


def never() -> bool:
    return False


def grade(task: Task, result: ExecutionResult, gold: ExecutionResult) -> Verdict:
    """The verdict of a program that was executed; a gold that fails is our fault, not its."""
    if gold.outcome != "ok" or (task.tests and gold.value):
        text = f"gold fails: {gold.outcome}: {gold.detail or gold.value}"
        return Verdict(VerdictKind.HARNESS_ERROR, one_line(text), result.seconds)
    if result.outcome != "ok":
        return Verdict(VerdictKind(result.outcome), one_line(result.detail), result.seconds)
    if task.kind == "sql":
        difference = tables_difference(gold.value, result.value, is_ordered(task.gold))
    elif task.tests:
        difference = result.value or None
    else:
        difference = answers_difference(gold.value, result.value)
    if difference is None:
        return Verdict(VerdictKind.CORRECT, "", result.seconds)
    return Verdict(VerdictKind.WRONG_RESULT, one_line(difference), result.seconds)


class Grader:
    """Grades samples in a sandbox and remembers: a distinct program of a task runs once.

    A program whose result is chance keeps its first verdict for as long as the grader lives.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._golds: dict[Program, ExecutionResult] = {}
        self._verdicts: dict[tuple[str, Program], Verdict] = {}  # by task_id and program

    def grade(
        self,
        tasks: Mapping[str, Task],
        samples: Sequence[Sample],
        should_stop: Callable[[], bool] = never,
    ) -> dict[SampleKey, Verdict]:
        """A verdict for every sample. Raises StopRequested; KeyError for an unknown task."""
        if len(self._verdicts) > MAX_REMEMBERED:
            self._verdicts.clear()
        programs = {s.key: program_of(tasks[s.task_id], s) for s in samples}
        new = self._grade_new(
            tasks,
            {
                (task_id, program)
                for (task_id, _), program in programs.items()
                if program is not None and (task_id, program) not in self._verdicts
            },
            should_stop,
        )
        # Our own faults are told and forgotten, so that they are tried again.
        self._verdicts |= {
            pair: verdict
            for pair, verdict in new.items()
            if verdict.kind is not VerdictKind.HARNESS_ERROR
        }
        known = ChainMap(new, self._verdicts)
        return {
            key: NO_PROGRAM if program is None else known[key[0], program]
            for key, program in programs.items()
        }

    def _grade_new(
        self,
        tasks: Mapping[str, Task],
        pairs: Set[tuple[str, Program]],
        should_stop: Callable[[], bool],
    ) -> dict[tuple[str, Program], Verdict]:
        golds = {task_id: gold_program(tasks[task_id]) for task_id, _ in pairs}
        wanted = {program for _, program in pairs} | (set(golds.values()) - self._golds.keys())
        results = self._golds | execute_all(
            sorted(wanted, key=in_sandbox_order), self._sandbox, should_stop
        )
        self._golds |= {
            gold: results[gold]
            for gold in golds.values()
            if results[gold].outcome != "harness_error"
        }
        return {
            (task_id, program): grade(tasks[task_id], results[program], results[golds[task_id]])
            for task_id, program in pairs
        }


def program_of(task: Task, sample: Sample) -> Program | None:
    source = extract_program(sample.completion, task.kind)
    return with_inputs(task, source) if source else None


def gold_program(task: Task) -> Program:
    return with_inputs(task, task.gold)


def with_inputs(task: Task, source: str) -> Program:
    if task.tests:
        return asserts.with_tests(task, source)
    return Program(task.kind, source, task.database, task.setup, task.answer)


def in_sandbox_order(program: Program) -> tuple[str, str, str]:
    """Programs on the same inputs follow one another, whatever a set's order."""
    return program.database, program.setup, program.source


def execute_all(
    programs: Sequence[Program], sandbox: Sandbox, should_stop: Callable[[], bool]
) -> dict[Program, ExecutionResult]:
    """Runs all; then, alone, those whose outcome may be the machine's doing."""
    executed = asserts.execute(sandbox, programs, should_stop=should_stop)
    results = dict(zip(programs, executed, strict=True))
    for program, result in results.items():
        if needs_second_run(result):
            results[program] = asserts.execute(sandbox, [program], should_stop=should_stop)[0]
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
