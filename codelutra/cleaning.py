"""What of a home can be deleted without losing a result: looked at first, deleted when asked.

Rows stay whatever is cleaned: a run keeps its samples, verdicts, pairs and scores.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codelutra.errors import CodeLutraError
from codelutra.run_rows import RowsThatAreThere
from codelutra.summary import promoted_iteration
from storage import db, jobs, queries
from storage.run_status import RunStatus


@dataclass(frozen=True)
class Cleanable:
    path: Path
    why: str
    num_bytes: int


def find(home: Path, adapters: Sequence[str] = ()) -> list[Cleanable]:
    """Work folders of completed runs, and the `adapters` that a person names as RUN/ITERATION.

    Raises CodeLutraError for an adapter that its run still needs.
    """
    home = home.expanduser().absolute()
    if not (home / "runs").is_dir():
        return []
    try:
        jobs.prepare(home)
        with db.open_session() as session:
            ids = [run.id for run in queries.list_runs(session) if run.id]
        states = jobs.statuses(ids)
    except db.StorageError as error:
        raise CodeLutraError(str(error)) from error
    done = [run_id for run_id, state in states.items() if state is RunStatus.COMPLETED]
    found = []
    for run_id in sorted(done):
        for end in ("work", "partial"):
            for path in sorted((home / "runs" / str(run_id)).glob(f"adapter-*.{end}")):
                found.append(_cleanable(path, f"left by the training of run {run_id}"))
    return found + [_named(home, name, done) for name in adapters]


def delete(found: Sequence[Cleanable]) -> None:
    for item in found:
        shutil.rmtree(item.path)


def _named(home: Path, name: str, done: Sequence[int]) -> Cleanable:
    run, _, number = name.partition("/")
    if not (run.isdecimal() and number.isdecimal()):
        raise CodeLutraError(f"--adapter {name}: write RUN/ITERATION, e.g. 3/1")
    run_id, iteration = int(run), int(number)
    if run_id not in done:
        raise CodeLutraError(f"--adapter {name}: run {run_id} is not completed, it may need it")
    rows = RowsThatAreThere(run_id, "")
    numbers = [n for n in range(1, rows.config.iterations + 1) if rows.adapter(n)]
    if iteration in (promoted_iteration(rows), max(numbers, default=0)):
        raise CodeLutraError(f"--adapter {name} is the promoted or the last one of its run: kept")
    path = home / "runs" / run / f"adapter-{iteration}"  # never where a row says
    if iteration not in numbers or path.is_symlink() or not path.is_dir():
        raise CodeLutraError(f"--adapter {name}: there is none")
    return _cleanable(path, f"adapter {iteration} of run {run_id}, named by you")


def _cleanable(path: Path, why: str) -> Cleanable:
    files = (file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    return Cleanable(path, why, sum(file.stat().st_size for file in files))
