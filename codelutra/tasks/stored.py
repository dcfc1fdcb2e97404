"""Imported sets: a folder each below CODELUTRA_HOME, whole or not there at all.

`set.json` says where it came from, its template and its split; `drafts.jsonl` has one task a line.
Databases of a folder are used where they are, those of an archive are kept with the set.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from codelutra.config import STARTER, home
from codelutra.errors import TaskError
from codelutra.tasks import formats, hub
from codelutra.tasks.archive import is_archive, unpack
from codelutra.tasks.draft import Draft
from codelutra.tasks.leaks import Leak, find_leaks
from codelutra.tasks.splits import draw_splits
from codelutra.tasks.task import Match, Task
from codelutra.tasks.template import fill

Source = Path | str  # a path, or an address of `hub.py`
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


@dataclass(frozen=True)
class ImportOptions:
    """How a set is made of what was published; all of it is stored with the set."""

    heldout_share: float = 0.3
    split_by: Literal["family", "task"] = "family"
    seed: int = 0
    match: Match = "exact"  # of sql tasks that do not say their own
    template: str = ""  # the format's own when empty
    drop_leaks: bool = False  # of the training tasks that give a held-out one away
    columns: Mapping[str, str] = field(default_factory=dict)  # see columns.py


@dataclass(frozen=True)
class StoredSet:
    name: str
    format: str
    source: str
    options: ImportOptions
    left_out: dict[str, str]  # task_id: why
    leaks: list[Leak]


def sets_folder() -> Path:
    return home() / "tasks"


def stored_names() -> list[str]:
    """Without a folder that an import left when it was killed."""
    names = (path.parent.name for path in sets_folder().glob("*/set.json"))
    return sorted(name for name in names if _NAME.fullmatch(name))


@dataclass(frozen=True)
class Prepared:
    """A set as it would be kept."""

    stored: StoredSet
    drafts: list[Draft]

    @property
    def tasks(self) -> list[Task]:
        return [task_of(draft, self.stored.options.template) for draft in self.drafts]


def import_set(
    source: Source, name: str, options: ImportOptions | None = None
) -> tuple[StoredSet, list[Task]]:
    """Reads a file, folder, archive or Hub dataset and keeps it; keeps nothing when it raises."""
    check_name(name)
    with new_folder(name) as folder:
        prepared = prepare(source, name, options or ImportOptions(), folder)
        write(folder, prepared.stored, prepared.drafts, moved_to=sets_folder() / name)
    return prepared.stored, load_stored(name)


def preview_set(source: Source, options: ImportOptions | None = None) -> Prepared:
    """What `import_set` would keep, under a name that is still to be found. Keeps nothing."""
    with tempfile.TemporaryDirectory(prefix="codelutra-preview-") as folder:
        return prepare(source, "", options or ImportOptions(), Path(folder))


def prepare(source: Source, name: str, options: ImportOptions, folder: Path) -> Prepared:
    """An archive is unpacked below `folder`. Raises TaskError."""
    origin, place = find(source)
    if is_archive(place):
        unpack(place, folder / "files")
        place = folder / "files"
    published = formats.load(place, options.columns)
    if not published.drafts:
        reasons = "; ".join(sorted(set(published.left_out.values()))[:5])
        raise TaskError(f"{source}: no task of it can be used ({reasons})")
    options = replace(options, template=options.template or published.template)
    drafts = [settled(draft, options) for draft in published.drafts]
    drafts = with_splits(drafts, options)
    left_out, leaks = dict(published.left_out), find_leaks(drafts)
    if options.drop_leaks:
        given_away = {leak.train_id: "gives a held-out task away" for leak in leaks}
        drafts = [draft for draft in drafts if draft.task["task_id"] not in given_away]
        left_out, leaks = left_out | given_away, []
    stored = StoredSet(name, published.format, origin, options, left_out, leaks)
    prepared = Prepared(stored, drafts)
    refuse_doubles(source, prepared.tasks)
    return prepared


def find(source: Source) -> tuple[str, Path]:
    """Where a set comes from, for its record, and the file or folder to read."""
    if str(source).startswith(hub.PREFIX):
        found = hub.fetch(str(source))
        return found.name, found.path
    path = Path(source).expanduser()
    if not path.exists():
        raise TaskError(f"{path} does not exist")
    return str(path.absolute()), path


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


def settled(draft: Draft, options: ImportOptions) -> Draft:
    task = {"family": draft.task["task_id"], **draft.task}
    if task["kind"] == "sql":
        task.setdefault("match", options.match)
    return Draft(task, draft.parts)


def with_splits(drafts: list[Draft], options: ImportOptions) -> list[Draft]:
    """Draws the split; a task that says its own keeps it."""
    key = "family" if options.split_by == "family" else "task_id"
    groups = [draft.task[key] for draft in drafts]
    splits = draw_splits(groups, options.heldout_share, options.seed)
    return [
        Draft({"split": splits[group], **draft.task}, draft.parts)
        for draft, group in zip(drafts, groups, strict=True)
    ]


def task_of(draft: Draft, template: str) -> Task:
    return Task.model_validate({**draft.task, "prompt": fill(template, draft.parts)})


def refuse_doubles(source: Source, tasks: list[Task]) -> None:
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


def read_stored(name: str) -> StoredSet:
    known = json.loads((sets_folder() / name / "set.json").read_text("utf-8"))
    options, leaks = ImportOptions(**known["options"]), [Leak(**leak) for leak in known["leaks"]]
    return StoredSet(**{**known, "options": options, "leaks": leaks})


def load_stored(name: str) -> list[Task]:
    folder = sets_folder() / name
    template = read_stored(name).options.template
    with (folder / "drafts.jsonl").open(encoding="utf-8") as file:
        tasks = [task_of(Draft(**json.loads(line)), template) for line in file]
    missing = sorted({t.database for t in tasks if t.database and not Path(t.database).is_file()})
    if missing:
        raise TaskError(f"set {name}: {len(missing)} databases are gone, first {missing[0]}")
    return tasks
