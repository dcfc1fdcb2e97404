"""Execution result and gold result -> Verdict. The only place that sees both."""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from codelutra import asserts
from codelutra.evidence import show_answer
from codelutra.languages import language_of
from codelutra.prompting import task_program
from codelutra.records import Sample, SampleKey, Verdict, VerdictKind
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.tasks.task import Task

MAX_DETAIL = 300  # characters
DETAIL_END = 80  # of them at the end, where an error names its line
MAX_REMEMBERED = 100_000  # verdicts, some 100 MB of program texts
NO_PROGRAM = Verdict(VerdictKind.NO_CODE, "no program in the completion")
LOAD_SENSITIVE = ("MemoryError", "killed by SIGKILL")  # a busy machine can cause these, too


def never() -> bool:
    return False


def grade(task: Task, result: ExecutionResult, gold: ExecutionResult) -> Verdict:
    """The verdict of a program that was executed; a gold that fails is our fault, not its."""
    if gold.outcome != "ok" or (task.is_tested and gold.value):
        text = f"gold fails: {gold.outcome}: {gold.detail or gold.value}"
        return Verdict(VerdictKind.HARNESS_ERROR, one_line(text), result.seconds)
    if result.outcome != "ok":
        return Verdict(VerdictKind(result.outcome), one_line(result.detail), result.seconds)
    difference = language_of(task.kind).difference(task, gold.value, result.value)
    if difference is None:
        detail = (
            "every test holds" if task.is_tested else f"{show_answer(result.value)}, as expected"
        )
        return Verdict(VerdictKind.CORRECT, one_line(detail), result.seconds)
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
        found = {s.key: task_program(s.completion, tasks[s.task_id]) for s in samples}
        programs = {
            key: with_inputs(tasks[key[0]], extraction.program) if extraction.program else None
            for key, extraction in found.items()
        }
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
            key: replace(
                NO_PROGRAM if program is None else known[key[0], program],
                extraction=found[key].words,
            )
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
        executed, flaky = execute_all(
            sorted(wanted, key=in_sandbox_order), self._sandbox, should_stop
        )
        results = self._golds | executed
        self._golds |= {
            gold: results[gold]
            for gold in golds.values()
            if results[gold].outcome != "harness_error"
        }
        return {
            (task_id, program): replace(
                grade(tasks[task_id], results[program], results[golds[task_id]]),
                flaky=program in flaky,
                output=results[program].output,
            )
            for task_id, program in pairs
        }


def gold_program(task: Task) -> Program:
    return with_inputs(task, task.gold)


def with_inputs(task: Task, source: str) -> Program:
    return language_of(task.kind).program(task, source)


def in_sandbox_order(program: Program) -> tuple[str, str, str]:
    """Programs on the same inputs follow one another, whatever a set's order."""
    return program.database, program.setup, program.source


def execute_all(
    programs: Sequence[Program], sandbox: Sandbox, should_stop: Callable[[], bool]
) -> tuple[dict[Program, ExecutionResult], set[Program]]:
    """Runs all; then, alone, those whose outcome may be the machine's doing.

    Also returns the flaky ones: those with another outcome when alone, our own faults left out.
    """
    executed = asserts.execute(sandbox, programs, should_stop=should_stop)
    results = dict(zip(programs, executed, strict=True))
    flaky = set()
    for program, first in results.items():
        if needs_second_run(first):
            second = asserts.execute(sandbox, [program], should_stop=should_stop)[0]
            results[program] = second
            outcomes = {first.outcome, second.outcome}
            if len(outcomes) == 2 and "harness_error" not in outcomes:
                flaky.add(program)
    return results, flaky


def needs_second_run(result: ExecutionResult) -> bool:
    if result.outcome in ("timeout", "harness_error"):
        return True
    return result.outcome == "runtime_error" and result.detail.startswith(LOAD_SENSITIVE)


def one_line(text: str) -> str:
    """Printable, without line breaks, at most MAX_DETAIL characters; the middle is left out."""
    text = " ".join(text.splitlines())
    if not text.isprintable():
        text = "".join(mark if mark.isprintable() else escaped(mark) for mark in text)
    if len(text) <= MAX_DETAIL:
        return text
    return text[: MAX_DETAIL - DETAIL_END - 1] + "…" + text[-DETAIL_END:]


def escaped(mark: str) -> str:
    return mark.encode("unicode_escape", "surrogatepass").decode("ascii")
