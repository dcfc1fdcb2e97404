"""The app on a home of its own, small starter runs in it, and who in it can be killed.

Looks from outside, as a person at the machine would: at the processes and at the database.
"""

import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import psutil
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from benchmarks.private_postgres import PrivatePostgres
from codelutra.adapters import verify_adapter
from codelutra.config import RefineConfig
from codelutra.records import Adapter as AdapterRecord
from storage import db, jobs, queries, reviews
from storage.lock import find_worker
from storage.models import Adapter, Iteration, Sample
from storage.pair_models import PreferencePair, Review
from storage.reviews import Decision

ROOT = Path(__file__).parents[1]
CHILDREN = {"cl-generate": "sampling", "cl-train": "training"}  # names that phase_child gives
SANDBOX = "codelutra/sandbox/child/"  # in the command line of a server of the sandbox
START_S, POSTGRES_DOWN_S = 120.0, 2.0
REVIEWED = ("veto", "flip", "keep", "veto")  # what becomes of an iteration's first pairs
Rows = dict[str, Counter[tuple[object, ...]]]
T = TypeVar("T")


class KillLab:
    """`python app.py` with its worker, and a database that may be a Postgres of ours."""

    def __init__(self, home: Path, postgres: PrivatePostgres | None = None) -> None:
        self.home, self._postgres = home, postgres
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        os.environ.pop("DATABASE_URL", None)
        if postgres:
            os.environ["DATABASE_URL"] = postgres.new_database()
        os.environ["CODELUTRA_HOME"] = str(home)
        jobs.prepare(home)
        self.start_web()

    def start_web(self) -> None:
        output = self.home.with_name(f"{self.home.name}-app.log")
        with open(output, "ab") as log:
            self._web = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(self.port)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    @property
    def web_pid(self) -> int:
        return self._web.pid

    def close(self) -> None:
        self._web.terminate()
        self._web.wait()
        if worker := find_worker(self.home):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(worker.pid)
                process.terminate()
                process.wait(60)

    def found(self, victim: str) -> list[psutil.Process]:
        """Those that live now; of Postgres its first process stands for all."""
        if victim == "web":
            return [psutil.Process(self._web.pid)] if self._web.poll() is None else []
        if victim == "postgres":
            return [psutil.Process(self._postgres.pid)] if self._postgres else []
        worker = find_worker(self.home)
        if worker is None or not worker.pid:
            return []
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(worker.pid)
            if victim == "worker":
                return [process]
            return [one for one in process.children(recursive=True) if _kind(one) == victim]
        return []

    def kinds(self) -> set[str]:
        """Whoever lives now."""
        kinds = {kind for kind in ("web", "worker", "postgres") if self.found(kind)}
        worker = find_worker(self.home)
        if worker and worker.pid:
            with suppress(psutil.NoSuchProcess):
                kinds |= set(map(_kind, psutil.Process(worker.pid).children(recursive=True)))
        return kinds

    def kill(self, victim: str, rng: random.Random) -> bool:
        """`kill -9` to one of them; the web and Postgres are started again, as a person would."""
        try:
            rng.choice(self.found(victim)).kill()
        except (IndexError, psutil.NoSuchProcess):  # it ended just now
            return False
        if victim == "web":
            self._web.wait()
            self.start_web()
        if victim == "postgres" and self._postgres:
            time.sleep(POSTGRES_DOWN_S)
            self._postgres.start()
        return True


def _kind(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        if name := CHILDREN.get(process.name()):
            return name
        if any(SANDBOX in part for part in process.cmdline()):
            return "sandbox"
    return ""


def wait_until_up(port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def insist(ask: Callable[[], T]) -> T:
    """As a person would: ask again while the database is away."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return ask()
        except (db.StorageError, DBAPIError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def submit(config: RefineConfig) -> int:
    with db.open_session() as session:
        run = jobs.submit(
            session,
            config=config.model_dump(mode="json"),
            name="kills",
            num_train=config.max_train,
            num_heldout=config.max_heldout,
        )
    assert run.id is not None
    return run.id


def review_and_resume(run_id: int) -> None:
    """The run has stopped for its pairs to be reviewed: the same decisions in every run."""
    with db.open_session() as session:
        number = queries.newest_iteration(session, run_id=run_id)
        row = queries.get_iteration(session, run_id=run_id, number=number)
        assert row
        assert row.id
        pairs = sorted(queries.pairs(session, iteration_id=row.id), key=_pair_key)
        for pair, action in zip(pairs, REVIEWED, strict=False):
            if (
                pair.state == "pending" and pair.id
            ):  # else it was decided before the database went away
                reason = "other" if action == "veto" else ""
                decision = Decision(action, "a person", reason)
                reviews.decide(session, pair_id=pair.id, version=pair.version, decision=decision)
    jobs.resume(run_id)


def _pair_key(pair: PreferencePair) -> tuple[Any, ...]:
    return pair.task_id, pair.chosen_index or -1, pair.rejected_index or -1


def rows_of(run_id: int) -> Rows:
    """What a run has made, table by table and counted; texts and files by what is in them."""
    with db.open_session() as session:
        iterations = queries.iterations(session, run_id=run_id)
        number = {row.id: row.number for row in iterations}

        def of(table: Any) -> Any:
            return session.exec(select(table).where(col(table.iteration_id).in_(list(number))))

        pairs = {pair.id: pair for pair in of(PreferencePair)}
        decided = session.exec(select(Review).where(col(Review.pair_id).in_(list(pairs)))).all()
        adapters = list(of(Adapter))
        found: dict[str, list[tuple[object, ...]]] = {
            "iterations": [_scores(row) for row in iterations],
            "samples": [
                (number[s.iteration_id], s.split, s.task_id, s.index, s.completion, s.verdict)
                for s in of(Sample)
            ],
            "pairs": [
                (number[p.iteration_id], *_pair_key(p), p.chosen, p.rejected, p.state)
                for p in pairs.values()
            ],
            "reviews": [(*_pair_key(pairs[r.pair_id]), r.action, r.reviewer) for r in decided],
            "adapters": [(number[a.iteration_id], a.sha256, a.data_sha256) for a in adapters],
        }
    for adapter in adapters:
        verify_adapter(AdapterRecord(**adapter.model_dump(exclude={"iteration_id"})))
    return {table: Counter(rows) for table, rows in found.items()}


def _scores(row: Iteration) -> tuple[object, ...]:
    parts = (row.pass_at_1, row.num_tasks, row.syntax_error, row.verdicts, row.validation)
    return row.number, row.paired_at is not None, *(json.dumps(p, sort_keys=True) for p in parts)


def missing(whole: Rows, part: Rows) -> int:
    return sum((whole[table] - part[table]).total() for table in whole)


def doubled(rows: Rows) -> int:
    """By what identifies a row, whatever is in it."""
    width = {"iterations": 1, "samples": 4, "pairs": 4, "reviews": 3, "adapters": 1}
    return sum(
        rows[table].total() - len({row[: width[table]] for row in rows[table]}) for table in rows
    )


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Any:
    """A file system of its own in memory; needs to be root. OSError where it cannot be."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise OSError(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, leave: int) -> Path:
    """A file that takes all but `leave` bytes of the disk of `folder`."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):  # the others write, too
        while (free := shutil.disk_usage(folder).free - leave) > 0:
            file.write(bytes(min(free, 1 << 20)))
    return filler


def is_sound(home: Path) -> bool:
    """What SQLite says of its own file."""
    with closing(sqlite3.connect(home / db.SQLITE_FILE)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
