"""Runs answers in the sandbox for people to look at: a value, and a verdict where one exists."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from codelutra.config import SandboxConfig
from codelutra.grading import NO_PROGRAM, execute_all, gold_program, grade, one_line, with_inputs
from codelutra.pictures import data_uri, png_of
from codelutra.prompting import task_program
from codelutra.sandbox import ExecutionResult, Sandbox
from codelutra.showing import shown
from codelutra.tasks.task import Task

MAX_FIGURES = 12  # of a comparison
NO_DATA = ("no value in ", "unsupported result type matplotlib.")  # without a gold that is no error


def task_of(fields: dict[str, Any]) -> Task:
    """A task without a gold is one whose programs are run, and not judged."""
    return Task.model_validate(fields) if fields["gold"] else Task.model_construct(**fields)


def try_answers(
    task: Task, completions: Sequence[str], config: SandboxConfig, should_stop: Callable[[], bool]
) -> list[dict[str, Any]]:
    """A row each: outcome, verdict ('' without a gold), detail, seconds, output, extraction,
    flaky, `shown` where there is a value, and `figure` where one was drawn: a data: address, or a
    word on why not. Raises StopRequested."""
    found = [task_program(text, task) for text in completions]
    programs = {
        f.program: replace(with_inputs(task, f.program), draws=True) for f in found if f.program
    }
    with Sandbox(config) as sandbox:
        gold = gold_program(task) if task.gold else None
        wanted = {*programs.values(), *([gold] if gold else [])}
        results, flaky = execute_all(list(wanted), sandbox, should_stop)
    rows: list[dict[str, Any]] = []
    figures = 0
    for extraction in found:
        if not extraction.program:
            rows.append(
                {"outcome": "no_code", "verdict": NO_PROGRAM.kind.value if gold else "",
                 "detail": NO_PROGRAM.detail, "seconds": 0.0, "output": "", "flaky": False,
                 "extraction": extraction.words, "shown": None, "program": "", "figure": None}
            )  # fmt: skip
            continue
        program = programs[extraction.program]
        result = results[program]
        verdict = grade(task, result, results[gold]) if gold else None
        figures += result.figure is not None
        ran = result.outcome == "ok" or (not gold and result.detail.startswith(NO_DATA))
        detail = "" if ran and result.figure is not None else one_line(result.detail)
        rows.append(
            {"outcome": "ok" if ran else result.outcome,
             "verdict": verdict.kind.value if verdict else "",
             "detail": verdict.detail if verdict else detail,
             "seconds": result.seconds, "output": result.output, "flaky": program in flaky,
             "extraction": extraction.words, "program": extraction.program,
             "shown": shown(result.value) if result.outcome == "ok" else None,
             "figure": _figure(result, is_kept=figures <= MAX_FIGURES)}
        )  # fmt: skip
    return rows


def _figure(result: ExecutionResult, is_kept: bool) -> str | None:
    if result.figure is None:
        return None
    if not is_kept:
        return f"the first {MAX_FIGURES} figures are shown"
    png = png_of(result.figure)
    return data_uri(png) if png else "it cannot be drawn here, or has too much detail"
