"""Imported sets: a folder each below CODELUTRA_HOME, whole or not there at all.

`set.json` says where it came from, its template and its split; `drafts.jsonl` has one task a line.
Databases of a folder are used where they are, those of an archive are kept with the set.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from codelutra.config import STARTER, home
from codelutra.errors import TaskError
from codelutra.tasks import formats
from codelutra.tasks.archive import is_archive, unpack
from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.splits import split_by_family
from codelutra.tasks.task import Task
from codelutra.tasks.template import fill

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


@dataclass(frozen=True)
class StoredSet:
    name: str
    format: str
    source: str
    template: str
    heldout_share: float
    seed: int
    left_out: dict[str, str] = field(default_factory=dict)  # task_id: why


def sets_folder() -> Path:
    return home() / "tasks"


def stored_names() -> list[str]:
    folder = sets_folder()
    return sorted(path.parent.name for path in folder.glob("*/set.json")) if folder.is_dir() else []


def import_set(
    source: Path, name: str, *, heldout_share: float = 0.3, seed: int = 0, template: str = ""
) -> tuple[StoredSet, list[Task]]:
    """Reads a file, folder or archive and keeps it as `name`. Raises TaskError and keeps nothing."""
    check_name(name)
    if not source.exists():
        raise TaskError(f"{source} does not exist")
    with new_folder(name) as folder:
        place = source
        if is_archive(source):
            place = folder / "files"
            unpack(source, place)
        published = formats.load(place)
        if not published.drafts:
            reasons = "; ".join(sorted(set(published.left_out.values()))[:5])
            raise TaskError(f"{source}: no task of it can be used ({reasons})")
        stored = StoredSet(
            name,
            published.format,
            str(source.absolute()),
            template or published.template,
            heldout_share,
            seed,
            published.left_out,
        )
        drafts = with_splits(published, heldout_share, seed)
        tasks = [task_of(draft, stored) for draft in drafts]
        refuse_doubles(source, tasks)
        write(folder, stored, drafts, moved_to=sets_folder() / name)
    return stored, load_stored(name)


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name == STARTER:
        raise TaskError(f"{name!r} is no name for a set: use a-z, 0-9, dot, dash and underscore")
    if (sets_folder() / name).exists():
        raise TaskError(
            f"there is a set {name} already: give another --name, or remove {sets_folder() / name}"
        )


@contextmanager
def new_folder(name: str) -> Iterator[Path]:
    """A folder that becomes the set's when all went well, and is gone otherwise."""
    sets_folder().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".import-", dir=sets_folder()))
    try:
        yield folder
        folder.rename(sets_folder() / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_splits(published: Published, heldout_share: float, seed: int) -> list[Draft]:
    """Draws the split by family; a task that says its own keeps it."""
    drafts = published.drafts
    families = [draft.task.get("family") or draft.task["task_id"] for draft in drafts]
    splits = split_by_family(families, heldout_share, seed)
    return [
        Draft({"split": splits[family], **draft.task, "family": family}, draft.parts)
        for draft, family in zip(drafts, families, strict=True)
    ]


def task_of(draft: Draft, stored: StoredSet) -> Task:
    return Task.model_validate({**draft.task, "prompt": fill(stored.template, draft.parts)})


def refuse_doubles(source: Path, tasks: list[Task]) -> None:
    seen: set[str] = set()
    for task in tasks:
        if task.task_id in seen:
            raise TaskError(f"{source}: task {task.task_id!r} appears twice")
        seen.add(task.task_id)


def write(folder: Path, stored: StoredSet, drafts: list[Draft], moved_to: Path) -> None:
    here = f"{folder}/"
    with (folder / "drafts.jsonl").open("w", encoding="utf-8") as file:
        for draft in drafts:
            task = dict(draft.task)
            if task.get("database", "").startswith(here):
                task["database"] = str(moved_to / task["database"].removeprefix(here))
            file.write(json.dumps({"task": task, "parts": draft.parts}) + "\n")
    (folder / "set.json").write_text(json.dumps(asdict(stored), indent=1) + "\n", "utf-8")


def load_stored(name: str) -> list[Task]:
    folder = sets_folder() / name
    stored = StoredSet(**json.loads((folder / "set.json").read_text("utf-8")))
    with (folder / "drafts.jsonl").open(encoding="utf-8") as file:
        tasks = [task_of(Draft(**json.loads(line)), stored) for line in file]
    missing = sorted({t.database for t in tasks if t.database and not Path(t.database).is_file()})
    if missing:
        raise TaskError(f"set {name}: {len(missing)} databases are gone, first {missing[0]}")
    return tasks
