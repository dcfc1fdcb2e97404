"""Runs answers in the sandbox for people to look at: a value, and a verdict where one exists."""

from collections.abc import Callable, Sequence
from typing import Any

from codelutra.config import SandboxConfig
from codelutra.grading import NO_PROGRAM, execute_all, gold_program, grade, one_line, with_inputs
from codelutra.prompting import task_program
from codelutra.sandbox import Sandbox
from codelutra.showing import shown
from codelutra.tasks.task import Task


def task_of(fields: dict[str, Any]) -> Task:
    """A task without a gold is one whose programs are run, and not judged."""
    return Task.model_validate(fields) if fields["gold"] else Task.model_construct(**fields)


def try_answers(
    task: Task, completions: Sequence[str], config: SandboxConfig, should_stop: Callable[[], bool]
) -> list[dict[str, Any]]:
    """A row each: outcome, verdict ('' without a gold), detail, seconds, output, extraction,
    flaky, and `shown` where there is a value. Raises StopRequested."""
    found = [task_program(text, task) for text in completions]
    programs = {f.program: with_inputs(task, f.program) for f in found if f.program}
    with Sandbox(config) as sandbox:
        gold = gold_program(task) if task.gold else None
        wanted = {*programs.values(), *([gold] if gold else [])}
        results, flaky = execute_all(list(wanted), sandbox, should_stop)
    rows: list[dict[str, Any]] = []
    for extraction in found:
        if not extraction.program:
            rows.append(
                {"outcome": "no_code", "verdict": NO_PROGRAM.kind.value if gold else "",
                 "detail": NO_PROGRAM.detail, "seconds": 0.0, "output": "", "flaky": False,
                 "extraction": extraction.words, "shown": None, "program": ""}
            )  # fmt: skip
            continue
        program = programs[extraction.program]
        result = results[program]
        verdict = grade(task, result, results[gold]) if gold else None
        rows.append(
            {"outcome": result.outcome, "verdict": verdict.kind.value if verdict else "",
             "detail": verdict.detail if verdict else one_line(result.detail),
             "seconds": result.seconds, "output": result.output, "flaky": program in flaky,
             "extraction": extraction.words, "program": extraction.program,
             "shown": shown(result.value) if result.outcome == "ok" else None}
        )  # fmt: skip
    return rows
