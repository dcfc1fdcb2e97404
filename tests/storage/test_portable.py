"""A database as a file, and moved to another kind of database: nothing lost, all or nothing."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from storage import db, jobs, portable, queries, recording
from storage.db import StorageError
from storage.run_status import RunStatus
from tests.lab import Lab, kill, lab, new_postgres, wait_for
from tests.test_worker import SMALL, assert_complete, counted

__all__ = ["lab"]


@pytest.fixture
def database(home: Path) -> Path:
    return home


@pytest.fixture
def postgres() -> Iterator[str]:
    with new_postgres() as url:
        yield url


def interrupted_run(lab: Lab, **config: object) -> int:
    """A run whose worker was killed in the middle of it."""
    run_id = lab.submit(**{**SMALL, "max_train": 10, **config})
    worker = lab.started_worker(batch_s=0.05)
    wait_for(lambda: counted(run_id) > 15)
    kill(worker, signal.SIGKILL)
    wait_for(lambda: jobs.status(run_id) is RunStatus.INTERRUPTED)
    return run_id


def test_every_table_is_carried(home: Path) -> None:
    jobs.prepare(home)
    there = set(inspect(db.current().engine).get_table_names())
    ours, queue = portable._tables()
    left = there - {each.name for each in [*ours, *queue]}
    assert {name for name in left if not name.startswith("pairwords")} == {
        "alembic_version",
        "dbos_migrations",
    }


def test_a_copy_holds_what_was_committed_while_somebody_writes(home: Path, tmp_path: Path) -> None:
    jobs.prepare(home)
    with db.open_session() as session:
        queries.create_run(session, name="kept", config={}, num_train=1, num_heldout=1)
    with db.open_session() as session:
        queries.create_run(session, name="half", config={}, num_train=1, num_heldout=1)
        session.flush()
        portable.write_copy(tmp_path / "copy.sqlite")
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        assert copy.execute("SELECT name FROM run").fetchall() == [("kept",)]
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.postgres
def test_a_run_under_way_is_moved_to_postgres_and_goes_on_there(
    lab: Lab, postgres: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_id = interrupted_run(lab)
    half = counted(run_id)
    numbers = portable.move(lab.home, postgres)
    assert numbers["run"] == numbers["workflow_status"] == 1
    assert numbers["sample"] >= half - 1
    monkeypatch.setenv("DATABASE_URL", postgres)
    jobs.prepare(lab.home)
    assert jobs.status(run_id) is RunStatus.INTERRUPTED
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=10, iterations=1, num_samples=4)
    second = lab.submit(**SMALL)  # sequences are behind the copied rows
    assert second == run_id + 1
    lab.wait_for(second, RunStatus.COMPLETED)
    portable.write_copy(tmp_path / "back.sqlite")  # and back again
    with closing(sqlite3.connect(tmp_path / "back.sqlite")) as copy:
        assert copy.execute("SELECT count(*) FROM run").fetchone() == (2,)
        pairs, words = (
            copy.execute(f"SELECT count(*) FROM {name}").fetchone()
            for name in ("preferencepair", "pairwords")
        )
        assert pairs == words
    with new_postgres() as another:  # as a backup is restored
        monkeypatch.setenv("DATABASE_URL", another)
        portable.adopt_copy(tmp_path / "back.sqlite", old_home=str(lab.home), home=lab.home)
        jobs.prepare(lab.home)
        assert jobs.statuses([run_id, second]) == {
            run_id: RunStatus.COMPLETED,
            second: RunStatus.COMPLETED,
        }
        db.current().engine.dispose()


@pytest.mark.postgres
def test_a_database_with_rows_is_no_target_and_a_failure_leaves_none(
    home: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.prepare(home)
    with db.open_session() as session:
        run = queries.create_run(session, name="kept", config={}, num_train=1, num_heldout=1)
        recording.ensure_iteration(session, run_id=run.id or 0, number=1)
    with monkeypatch.context() as patch:
        patch.setattr(portable, "_set_sequences", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            portable.move(home, postgres)
    assert portable.move(home, postgres)["run"] == 1
    with pytest.raises(StorageError, match="is not empty: name a new database"):
        portable.move(home, postgres)


def test_nothing_moves_under_a_living_worker(lab: Lab, tmp_path: Path) -> None:
    worker = lab.started_worker()
    with pytest.raises(StorageError, match=f"a worker \\(pid {worker.pid}\\) works on"):
        portable.move(lab.home, f"sqlite:///{tmp_path}/other.sqlite")


def test_a_kill_in_the_middle_of_a_move_leaves_an_empty_target(home: Path, tmp_path: Path) -> None:
    jobs.prepare(home)
    with db.open_session() as session:
        queries.create_run(session, name="kept", config={}, num_train=1, num_heldout=1)
    target = f"sqlite:///{tmp_path}/other.sqlite"
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; from pathlib import Path; from storage import portable\n"
            "count = portable._count\n"
            "def die(out, table):\n"
            "    if table.name == 'queues': os.kill(os.getpid(), 9)\n"
            "    return count(out, table)\n"
            "portable._count = die\n"
            "portable.move(Path(sys.argv[1]), sys.argv[2])",
            str(home),
            target,
        ],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert portable.move(home, target)["run"] == 1
