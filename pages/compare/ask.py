"""From what a visitor chose and wrote to a comparison that the worker answers."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from codelutra.errors import CodeLutraError
from codelutra.model_states import ModelState
from codelutra.tasks import Task
from pages.compare.states import find
from pages.roles import Role, require, require_for_set
from pages.task_list import tasks_of
from storage import comparisons
from storage.compare_models import Comparison

OWN = ""  # instead of a task set
TEXT_ONLY = ""  # kind of a prompt whose answers are not run
MAX_COLUMNS, MAX_SAMPLES, MAX_TOKENS, MAX_PROMPT = 4, 50, 4096, 100_000


@dataclass(frozen=True)
class Wish:
    """As the form says it."""

    prompt: str
    states: Sequence[str]  # keys
    tasks: str = OWN
    task_id: str = ""
    own: Mapping[str, str] = field(default_factory=dict)  # kind, database, setup, gold
    num_samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    is_blind: bool = False


def ask(session: Session, wish: Wish) -> int:
    """Queued; its number. Raises CodeLutraError, in one line."""
    if not wish.prompt.strip():
        raise CodeLutraError("write a prompt, or take a task's")
    if len(wish.prompt) > MAX_PROMPT:
        raise CodeLutraError(f"the prompt is longer than {MAX_PROMPT:,} characters")
    keys = [key for key in wish.states if key]
    if not 2 <= len(keys) <= MAX_COLUMNS:
        raise CodeLutraError(f"choose 2 to {MAX_COLUMNS} model states")
    states = [find(session, key) for key in keys]
    if wish.is_blind:
        states = balanced(session, states)
    is_greedy = wish.temperature == 0
    row = Comparison(
        tasks=wish.tasks, task_id=wish.task_id if wish.tasks else "", prompt=wish.prompt,
        task=task_fields(wish), columns=[state.as_row() for state in states],
        is_blind=wish.is_blind,
        settings={
            "num_samples": 1 if is_greedy else _within("n", wish.num_samples, 1, MAX_SAMPLES),
            "temperature": _within("the temperature", wish.temperature, 0, 2),
            "top_p": 1.0 if is_greedy else _within("top-p", wish.top_p, 0.01, 1),
            "max_new_tokens": _within("the longest answer", wish.max_new_tokens, 1, MAX_TOKENS),
            "seed": _within("the seed", wish.seed, 0, 2**31 - 1),
            "stop": [],
        },
    )  # fmt: skip
    return comparisons.submit(session, row)


def again(session: Session, comparison: Comparison) -> int:
    """The same once more, drawn anew where it is drawn; what was answered before stays."""
    settings = dict(comparison.settings)
    if settings["temperature"] > 0:
        settings["seed"] = random.randrange(2**31)
    kept = ("tasks", "task_id", "prompt", "task", "columns", "is_blind")
    row = Comparison(**{name: getattr(comparison, name) for name in kept}, settings=settings)
    if row.is_blind:
        states = [find(session, column["key"]) for column in row.columns]
        row.columns = [state.as_row() for state in balanced(session, states)]
    return comparisons.submit(session, row)


def balanced(session: Session, states: Sequence[ModelState]) -> list[ModelState]:
    """In an order by chance, but first is who was first least often among these."""
    shuffled = random.sample(list(states), len(states))
    times = comparisons.times_first(session, keys=[state.key for state in states])
    first = min(shuffled, key=lambda state: times[state.key])
    return [first, *(state for state in shuffled if state is not first)]


def task_fields(wish: Wish) -> dict[str, Any]:
    """What the answers are run with and judged by; kind '' where they are only read."""
    if wish.tasks != OWN:
        require_for_set(wish.tasks)
        task = task_of(wish.tasks, wish.task_id)
        return {**task.model_dump(mode="json"), "prompt": wish.prompt}
    own = {name: wish.own.get(name, "").strip("\n") for name in ("database", "setup", "gold")}
    kind = wish.own.get("kind", TEXT_ONLY)
    if kind == TEXT_ONLY:
        return {"kind": TEXT_ONLY, "gold": ""}
    fields = {"task_id": "own", "kind": kind, "prompt": wish.prompt, **own}
    if own["database"].strip():
        require(Role.OWNER)  # any file of the machine
    if kind == "sql" and not own["database"].strip():
        raise CodeLutraError("name the SQLite file that the query is for")
    if own["gold"]:
        try:
            Task.model_validate(fields)
        except ValueError as error:
            raise CodeLutraError(f"your task: {str(error).splitlines()[-2].strip()}") from error
    return fields


def task_of(tasks: str, task_id: str) -> Task:
    found = next((t for t in tasks_of(tasks) if t.task_id == task_id), None)
    if found is None:
        raise CodeLutraError(f"{tasks} has no task {task_id!r}")
    return found


def some_task(tasks: str, split: str) -> Task:
    """By chance."""
    found = [task for task in tasks_of(tasks) if task.split == split]
    if not found:
        raise CodeLutraError(f"{tasks} has no {split} task")
    return random.choice(found)


def _within(what: str, value: Any, low: float, high: float) -> Any:
    if value is None or not low <= value <= high:
        raise CodeLutraError(f"{what} is from {low:g} to {high:g}")
    return value
