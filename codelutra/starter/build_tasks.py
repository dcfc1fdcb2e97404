"""Draws the starter tasks and writes tasks.jsonl.

    python -m codelutra.starter.build_tasks

A draw becomes a task only if its gold gives a definite, non-empty result, and
if each habitual mistake that its program invites changes that result: a wrong
program must never pass by luck of the data.
"""

import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from codelutra.starter import SPLITS, TASKS_FILE, corpus, fill_database
from codelutra.starter.families import databases, sciences
from codelutra.starter.pen import HABITS, Pen
from codelutra.starter.sketch import SIDES, TEMPLATES, Sketch, Template
from codelutra.starter.worlds import World

PER_KIND = 200  # tasks of a kind in a split
TRIES = 400  # draws before a template counts as used up for a family

Run = Callable[[str], str]  # program -> canonical result, or the error's name


def draw_tasks() -> list[dict[str, Any]]:
    """All tasks, without the fields that depend on the home folder."""
    assert corpus.TEMPLATE_MODULES, "importing the corpus registers the templates"
    return [
        task for split in SPLITS for kind in ("sql", "python") for task in _split_tasks(split, kind)
    ]


def _split_tasks(split: str, kind: str) -> list[dict[str, Any]]:
    """Templates and families take turns until the split has its number of tasks."""
    rng = random.Random(f"starter tasks {split} {kind}")
    stage = _databases(split) if kind == "sql" else _sciences(split)
    templates = [t for _, t in sorted(TEMPLATES.items()) if t.kind == kind]
    tasks: list[dict[str, Any]] = []
    seen: set[str] = set()
    for template, (world, runs) in _turns(templates, stage):
        if len(tasks) == PER_KIND:
            return tasks
        task = _one_task(template, world, runs, rng, SIDES.index(split), seen)
        if task:
            name = "query" if kind == "sql" else "science"
            tasks.append(
                {"task_id": f"{name}-{split}-{len(tasks) + 1:04d}", "kind": kind, "split": split}
                | task
            )
    raise AssertionError("the turns never end")


def _turns(templates: list[Template], stage: list[Any]) -> Iterator[tuple[Template, Any]]:
    turn = 0
    while True:
        for i, template in enumerate(templates):
            yield template, stage[(turn + i) % len(stage)]
        turn += 1


def _databases(split: str) -> list[tuple[World, dict[str, Run]]]:
    return [(world, {"": _sql_run(world, rows)}) for world, rows in databases(split)]


def _sciences(split: str) -> list[tuple[World, dict[str, Run]]]:
    return [
        (world, {name: _python_run(code) for name, code in inputs.items()})
        for world, inputs in sciences(split)
    ]


def _one_task(
    template: Template,
    world: World,
    runs: dict[str, Run],
    rng: random.Random,
    side: int,
    seen: set[str],
) -> dict[str, Any] | None:
    for _ in range(TRIES):
        prompt, sketch = template.make(world, rng, side)
        family = world.name if template.kind == "sql" else sketch.subject.split(":")[0]
        run = runs["" if template.kind == "sql" else family]
        gold = sketch.write(Pen())
        if prompt not in seen and is_sound(sketch, gold, run):
            seen.add(prompt)
            return {"prompt": prompt, "gold": gold, "family": family, "tags": [template.name]}
    return None


def is_sound(sketch: Sketch, gold: str, run: Run) -> bool:
    """Whether the gold has a definite answer that every habit of the program would miss."""
    pen = Pen()
    sketch.write(pen)
    answer = run(gold)
    if answer in ("", "error") or any(run(other) != answer for other in _tie_breaks(gold)):
        return False
    habits = {name for name in pen.met if name in HABITS}
    return all(run(sketch.write(Pen(forced={habit}))) != answer for habit in habits)


def _tie_breaks(gold: str) -> list[str]:
    """An ordered query with its ties broken both ways: the same answer means no ties."""
    order = re.search(r"^SELECT (\S+) .* ORDER BY (.*) LIMIT", gold)
    if not order:
        return []
    end = order.end(2)
    return [f"{gold[:end]}, {order[1]}{way}{gold[end:]}" for way in ("", " DESC")]


def _sql_run(world: World, rows: dict[str, Any]) -> Run:
    connection = sqlite3.connect(":memory:")
    fill_database(connection, world, rows)

    def run(program: str) -> str:
        try:
            found = connection.execute(program).fetchall()
        except sqlite3.Error:
            return "error"
        if not found or found in ([(0,)], [(None,)]):
            return ""
        return repr(found if "ORDER BY" in program else sorted(found, key=repr))

    return run


def _python_run(setup: str) -> Run:
    def run(program: str) -> str:
        names: dict[str, Any] = {}
        try:
            exec(setup + program, names)  # our own code: golds and their known mistakes
        except Exception:  # a mistake may raise anything; that is its answer
            return "error"
        return describe(names["result"])

    return run


def describe(value: object) -> str:
    """A result as text, rounded; empty for an empty or undefined one."""
    if isinstance(value, pd.Series):
        return describe(list(value.to_dict().items()))
    if isinstance(value, (np.ndarray, np.generic)):
        return describe(value.tolist())
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(describe(v) for v in value)}]" if value else ""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6f}"
    return "" if value == 0 else repr(value)


def main() -> None:
    lines = [json.dumps(task, ensure_ascii=False) for task in draw_tasks()]
    TASKS_FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} tasks written to {TASKS_FILE}")


if __name__ == "__main__":
    main()
