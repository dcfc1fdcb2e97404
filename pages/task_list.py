"""The tasks of a set with all that is known of each, and which of them a filter shows. No HTML."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlmodel import Session

from codelutra.config import STARTER
from codelutra.tasks import Task, load_tasks
from codelutra.tasks.findings import PROBLEMS
from codelutra.tasks.quarantine import quarantine, quarantined, release
from codelutra.tasks.stored import StoredSet, read_stored, sets_folder
from storage import checks
from storage.models import TaskCheck
from storage.solved import solved_counts

PAGE = 15  # tasks
MAX_TAGS = 200  # in the filter, the commonest
BY_HAND = "by hand, on the Tasks tab"
ANY = ""
STATES = {  # of the filter
    ANY: "all",
    "quarantined": "in quarantine",
    "problem": "any problem found",
    **{name: name.replace("_", " ") for name in PROBLEMS},
    "never": "never solved",
    "always": "always solved",
    "untried": "not tried yet",
}


@dataclass(frozen=True)
class Listed:
    """A task, what the newest check found of it, and how often runs solved it."""

    task: Task
    problems: dict[str, str]  # reason by problem
    quarantine: str | None  # why it is there; None when it is not
    solved: int = 0
    graded: int = 0

    def is_in(self, state: str) -> bool:
        match state:
            case "quarantined":
                return self.quarantine is not None
            case "problem":
                return bool(self.problems)
            case "never":
                return self.graded > 0 and self.solved == 0
            case "always":
                return self.graded > 0 and self.solved == self.graded
            case "untried":
                return self.graded == 0
        return state == ANY or state in self.problems

    @property
    def reasons(self) -> str:
        return "; ".join(f"{name.replace('_', ' ')}: {why}" for name, why in self.problems.items())


@dataclass(frozen=True)
class Filter:
    split: str = ANY
    state: str = ANY
    tag: str = ANY  # or family
    words: str = ""

    def shows(self, row: Listed) -> bool:
        task = row.task
        return (
            self.split in (ANY, task.split)
            and self.tag in (ANY, task.family, *task.tags)
            and row.is_in(self.state)
            and self._has_words(task)
        )

    def _has_words(self, task: Task) -> bool:
        text = f"{task.task_id}\n{task.prompt}".lower() if self.words.strip() else ""
        return all(word in text for word in self.words.lower().split())


def list_tasks(session: Session, *, tasks: str) -> list[Listed]:
    """In the set's order. Raises TaskError."""
    found: dict[str, dict[str, str]] = {}
    check = current_findings(session, tasks=tasks)
    for finding in (check.findings or []) if check else []:
        found.setdefault(finding["task_id"], {})[finding["problem"]] = finding["reason"]
    away, solved = quarantined(tasks), solved_counts(session, tasks=tasks)
    return [
        Listed(task, found.get(task.task_id, {}), away.get(task.task_id),
               *solved.get(task.task_id, (0, 0)))
        for task in tasks_of(tasks)
    ]  # fmt: skip


def current_findings(session: Session, *, tasks: str) -> TaskCheck | None:
    """The newest check that ended, unless the set was imported anew or edited after it began."""
    check = checks.newest_findings(session, tasks=tasks)
    is_stale = check is not None and check.created_at.timestamp() < stamp(tasks) / 1e9
    return None if is_stale else check


def tasks_of(tasks: str) -> list[Task]:
    """As `load_tasks`, kept until the set's files change."""
    return _tasks_of(tasks, stamp(tasks))


def stamp(tasks: str) -> int:
    """When the files of a set, or one named by its path, were changed: ns; 0 for the starter."""
    folder = sets_folder() / tasks
    files = (folder / "set.json", folder / "drafts.jsonl", Path(tasks).expanduser())
    return max((file.stat().st_mtime_ns for file in files if file.is_file()), default=0)


@lru_cache(maxsize=4)
def _tasks_of(tasks: str, _: int) -> list[Task]:
    return load_tasks(tasks)


def about(tasks: str) -> StoredSet | None:
    """How the set was imported; None for the starter."""
    return None if tasks == STARTER else read_stored(tasks)


def tags_of(tasks: Sequence[Task]) -> list[str]:
    """Tags, then families that hold several tasks: the commonest of them, in order of name."""
    tags = Counter(tag for task in tasks for tag in task.tags)
    families = Counter(task.family for task in tasks if task.family)
    common = Counter({name: number for name, number in families.items() if number > 1})
    both = (tags | common).most_common(MAX_TAGS)
    return sorted((name for name, _ in both), key=lambda name: (name not in tags, name))


def toggle_quarantine(session: Session, *, tasks: str, task_id: str) -> None:
    """A task into quarantine, or out of it."""
    row = next(row for row in list_tasks(session, tasks=tasks) if row.task.task_id == task_id)
    if row.quarantine is None:
        quarantine(tasks, {task_id: row.reasons or BY_HAND})
    else:
        release(tasks, [task_id])


def quarantine_problem(session: Session, *, tasks: str, problem: str) -> None:
    """Every task that the newest check found this of."""
    rows = list_tasks(session, tasks=tasks)
    free = [row for row in rows if row.quarantine is None and problem in row.problems]
    quarantine(tasks, {row.task.task_id: row.reasons for row in free})
