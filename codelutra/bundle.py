"""A bundle: one zip with all that says what a run did, so that others can run it again.

Settings, versions, seeds, hashes of tasks, base and adapters, and the results; no task, no weights.
"""

import hashlib
import json
import platform
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codelutra import __version__, machine
from codelutra.adapters import json_sha256
from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.ledger import Ledger
from codelutra.models import model_revision, short_name
from codelutra.records import Adapter
from codelutra.report import report
from codelutra.report_text import as_markdown
from codelutra.summary import run_summary
from codelutra.tasks import Task, load_tasks, select_tasks

MANIFEST, REPORT = "bundle.json", "report.md"
FORMAT = 1
MAX_MANIFEST = 64 << 20  # bytes: a run of 50 iterations needs far less
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "vllm", "numpy",
            "pandas", "apsw", "sqlglot")  # fmt: skip
# Bytes of a SQLite file's header that say how often and by which version it was written.
VOLATILE = ((24, 28), (40, 44), (92, 100))


class Data(BaseModel):
    """The tasks that a run used, after its limits and its quarantine."""

    name: str
    sha256: str
    num_tasks: dict[str, int]  # by split


class Held(BaseModel):
    """A policy on the held-out tasks; what else is known of it is kept."""

    model_config = ConfigDict(extra="allow", validate_by_name=True, serialize_by_alias=True)

    pass_at_1: float = Field(alias="pass@1")
    verdicts: dict[str, int]


class Scored(BaseModel):
    model_config = ConfigDict(extra="allow")

    iteration: int
    heldout: Held


class Results(BaseModel):
    """As `refine --json` writes them, without this machine's paths."""

    run: dict[str, Any]
    base: Held | None
    iterations: list[Scored]


class Trained(BaseModel):
    """An adapter as it was recorded, without its path."""

    model_config = ConfigDict(extra="allow")

    iteration: int
    sha256: str


class Bundle(BaseModel):
    """The manifest. `code_sha256` is over the sources of this package."""

    model_config = ConfigDict(extra="ignore")

    format: int
    codelutra: str
    code_sha256: str
    python: str
    packages: dict[str, str]
    machine: dict[str, str]
    config: dict[str, Any]
    model_revision: str
    tasks: Data
    adapters: list[Trained]
    reviewed: dict[int, int]  # pairs that people changed, by iteration
    results: Results


def bundle(ledger: Ledger) -> Bundle:
    """Raises CodeLutraError when the run's tasks or model are no longer there to be hashed."""
    config = ledger.config
    tasks = select_tasks(load_tasks(config.tasks), config)
    numbers = range(1, config.iterations + 1)
    adapters = [(n, adapter) for n in numbers if (adapter := ledger.adapter(n))]
    facts = {n: found for n in numbers if (found := ledger.review_facts(n))}
    return Bundle(
        format=FORMAT,
        codelutra=__version__,
        code_sha256=code_sha256(),
        python=platform.python_version(),
        packages=dict(packages()),
        machine=this_machine(),
        config=_portable(config),
        model_revision=model_revision(config.model),
        tasks=data_of(config.tasks, tasks),
        adapters=[_trained(number, adapter) for number, adapter in adapters],
        reviewed={n: found.num_removed + found.num_flipped + found.num_edited + found.num_added
                  for n, found in facts.items()},
        results=_results(ledger),
    )  # fmt: skip


def write_bundle(ledger: Ledger, out: Path, *, name: str = "") -> None:
    """The zip `out`, whole or not at all; it holds the report, too, for people."""
    made = bundle(ledger)
    partial = out.with_name(out.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MANIFEST, json.dumps(made.model_dump(), indent=1) + "\n")
        file.writestr(REPORT, as_markdown(report(ledger, name=name)))
    partial.replace(out)


def read_bundle(path: Path) -> Bundle:
    """Raises CodeLutraError, in one line."""
    try:
        with zipfile.ZipFile(path) as file:
            if file.getinfo(MANIFEST).file_size > MAX_MANIFEST:
                raise CodeLutraError(f"{path}: its {MANIFEST} is too large to be a run's")
            found: dict[str, Any] = json.loads(file.read(MANIFEST))
    except FileNotFoundError as error:
        raise CodeLutraError(f"there is no file {path}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, IsADirectoryError) as error:
        raise CodeLutraError(
            f"{path} is no bundle: give a file that `export bundle` wrote"
        ) from error
    if found.get("format") != FORMAT:
        raise CodeLutraError(
            f"{path} is a bundle of format {found.get('format')}, this is for format {FORMAT}: "
            f"use CodeLutra {found.get('codelutra')}, which wrote it"
        )
    try:
        return Bundle.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CodeLutraError(f"{path} is a damaged bundle, {where}: {first['msg']}") from error


def data_of(name: str, tasks: Sequence[Task]) -> Data:
    """Databases count with what is in them, wherever they lie."""
    files = {path: _database_sha256(Path(path)) for path in {t.database for t in tasks} if path}
    rows = [
        {**task.model_dump(mode="json"), "database": files.get(task.database, "")}
        for task in sorted(tasks, key=lambda task: task.task_id)
    ]
    splits = sorted({task.split for task in tasks})
    num_tasks = {split: sum(task.split == split for task in tasks) for split in splits}
    return Data(name=short_name(name), sha256=json_sha256(rows), num_tasks=num_tasks)


def _database_sha256(path: Path) -> str:
    """The same for the same content, whichever SQLite wrote it."""
    with path.open("rb") as file:
        head = bytearray(file.read(100))
        for start, end in VOLATILE:
            head[start:end] = bytes(end - start)
        digest = hashlib.sha256(head)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def code_sha256() -> str:
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def packages() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def this_machine() -> dict[str, str]:
    return {"device": machine.look().gpu or "CPU", "processor": platform.machine()}


def _portable(config: RefineConfig) -> dict[str, Any]:
    """Without this machine's paths."""
    values = config.model_dump(mode="json")
    for name in ("tasks", "model"):
        values[name] = short_name(values[name])
    return values


def _trained(iteration: int, adapter: Adapter) -> Trained:
    known = {name: value for name, value in asdict(adapter).items() if name != "path"}
    return Trained(iteration=iteration, **{**known, "base_model": short_name(adapter.base_model)})


def _results(ledger: Ledger) -> Results:
    found = run_summary(ledger)
    for name in ("folder", "config"):
        del found["run"][name]
    for row in found["iterations"]:
        del row["adapter"]
    return Results.model_validate(found)
