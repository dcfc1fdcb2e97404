"""Two policies on the same held-out tasks: what flipped, how surely, among which tasks. No HTML.

A policy is an iteration of a run, 0 the base; its code is `2`, or `7:2` for iteration 2 of run 7.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sqlmodel import Session

from codelutra.errors import CodeLutraError
from codelutra.evaluation import gain_interval
from codelutra.tasks import Task
from pages.task_list import tasks_of
from storage import queries
from storage.flips import Flip, heldout_flips, scored_iterations

KINDS = "verdict"  # the breakdown by error kind
CELLS = ("fixed", "broken", "right", "wrong")
MAX_GROUPS = 40  # the largest; a set may have a database a task
DIFFICULTIES = (
    "easy",
    "simple",
    "medium",
    "moderate",
    "hard",
    "challenging",
    "extra",
    "extra hard",
)
LIBRARIES = ("numpy", "pandas", "scipy", "sklearn", "matplotlib", "pytorch", "tensorflow", "torch")


@dataclass(frozen=True)
class Policy:
    run_id: int
    number: int

    def code(self, run_id: int) -> str:
        """Short where it is of the run that is shown."""
        return str(self.number) if self.run_id == run_id else f"{self.run_id}:{self.number}"

    def name(self, run_id: int | None = None) -> str:
        iteration = f"iteration {self.number}" if self.number else "base"
        return iteration if self.run_id == run_id else f"run {self.run_id}, {iteration}"


def parse_policy(code: str, run_id: int) -> Policy | None:
    """None for what is no code."""
    run, _, number = code.rpartition(":")
    if not number.isdecimal() or not (run or "0").isdecimal():
        return None
    return Policy(int(run) if run else run_id, int(number))


@dataclass(frozen=True)
class Group:
    """Some of the tasks: all, those of a database, of a difficulty."""

    name: str
    flips: Sequence[Flip]

    def count(self, cell: str) -> int:
        return sum(flip.cell == cell for flip in self.flips)

    @property
    def gain(self) -> float:
        return (self.count("fixed") - self.count("broken")) / len(self.flips)

    @property
    def interval(self) -> tuple[float, float]:
        return gain_interval(self.count("fixed"), self.count("broken"), len(self.flips))


@dataclass(frozen=True)
class Comparison:
    before: Policy
    after: Policy
    flips: list[Flip]
    num_before: int  # tasks that the policy was graded on, and so on
    num_after: int
    tasks: dict[str, Task] = field(default_factory=dict)  # of the set as it is now
    other_set: str = ""  # the second run's, where it has another name

    @property
    def whole(self) -> Group:
        return Group("", self.flips)

    @cached_property
    def breakdowns(self) -> dict[str, list[Group]]:
        """By what tasks can be told apart, the commonest groups first; only what says something."""
        found = {name: self._groups(names) for name, names in NAMES_OF.items()}
        return {name: groups for name, groups in found.items() if len(groups) > 1}

    def chosen(self, by: str, group: str, cell: str) -> list[Flip]:
        """The tasks behind a number: of a cell, a group, or a pair of verdicts `was>is`."""
        flips: Iterable[Flip] = self.flips
        if by == KINDS and group:
            flips = (flip for flip in flips if f"{flip.before}>{flip.after}" == group)
        elif group:
            groups = {each.name: each.flips for each in self.breakdowns.get(by, ())}
            flips = groups.get(group, ())
        return [flip for flip in flips if cell in ("", flip.cell)]

    def _groups(self, names: Callable[[Task], Iterable[str]]) -> list[Group]:
        by_name: dict[str, list[Flip]] = {}
        for flip in self.flips:
            task = self.tasks.get(flip.task_id)
            for name in names(task) if task else ():
                by_name.setdefault(name, []).append(flip)
        groups = [Group(name, flips) for name, flips in by_name.items()]
        return sorted(groups, key=lambda group: (-len(group.flips), group.name))


def _among(known: Sequence[str]) -> Callable[[Task], Iterable[str]]:
    return lambda task: (tag for tag in task.tags if tag.lower() in known)


NAMES_OF: dict[str, Callable[[Task], Iterable[str]]] = {
    "difficulty": _among(DIFFICULTIES),
    "database": lambda task: [task.family] if task.kind == "sql" and task.family else [],
    "library": _among(LIBRARIES),
    "tag": lambda task: task.tags,
    "language": lambda task: [task.kind],
}


def policies(session: Session, run_ids: Sequence[int]) -> dict[Policy, int]:
    """Every scored policy of the runs with its iteration's id, in the order of the runs."""
    found = scored_iterations(session, run_ids=list(run_ids))
    places = {run_id: place for place, run_id in enumerate(run_ids)}
    ordered = sorted(found, key=lambda key: (places[key[0]], key[1]))
    return {Policy(*key): found[key] for key in ordered}


def compare(session: Session, before: Policy, after: Policy) -> Comparison | None:
    """None when one of them is not scored."""
    ids = policies(session, sorted({before.run_id, after.run_id}))
    if before not in ids or after not in ids:
        return None
    found = heldout_flips(session, before=ids[before], after=ids[after])
    mine, other = (_set_of(session, policy.run_id) for policy in (before, after))
    return Comparison(
        before,
        after,
        found.flips,
        found.num_before,
        found.num_after,
        known_tasks(mine),
        other if other != mine else "",
    )


def known_tasks(name: str) -> dict[str, Task]:
    """Of a set as it is now; none when it is gone: the verdicts are there without it."""
    try:
        return {task.task_id: task for task in tasks_of(name)}
    except (CodeLutraError, OSError):
        return {}


def _set_of(session: Session, run_id: int) -> str:
    run = queries.get_run(session, run_id=run_id)
    return str(run.config.get("tasks", "")) if run else ""
