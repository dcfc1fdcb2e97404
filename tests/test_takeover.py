"""A database that goes away, and machines that share one: real workers with a fake loop."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from benchmarks.private_postgres import PrivatePostgres, private_postgres, programs
from codelutra.errors import CodeLutraError
from codelutra.records import Adapter
from codelutra.worker_locks import check_home
from storage import db, jobs, portable, queries, recording
from storage.at_work import DatabaseLock, worker_at_work
from storage.db import StorageError
from storage.run_status import RunStatus
from tests.lab import Lab, Process, database, kill, lab, new_postgres, wait_for
from tests.test_worker import SMALL, assert_complete, counted, log_of

__all__ = ["database", "lab"]

NUM_TASKS = 30


def elsewhere(lab: Lab) -> Lab:
    """On another machine, which sees the same home but not who holds its lock: a home of links."""
    home = lab.home.with_name("other-machine")
    home.mkdir()
    for name in ("lab-id", "runs"):
        (home / name).symlink_to(lab.home / name)
    return Lab(home)


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_run_is_taken_up_by_the_worker_of_another_machine(lab: Lab) -> None:
    other_machine = elsewhere(lab)
    run_id = lab.submit(**{**SMALL, "max_train": NUM_TASKS})
    first = lab.started_worker(batch_s=2.0)  # far from its end when it is killed
    lab.wait_for(run_id, RunStatus.RUNNING)
    with pytest.raises(StorageError, match=f"a worker \\(pid {first.pid} on .*\\) works on"):
        portable.move(other_machine.home, f"sqlite:///{lab.home}/other.sqlite")
    db.init(lab.home)
    second = other_machine.started_worker()
    lab.workers += other_machine.workers  # to be ended with them
    wait_for(lambda: "waiting: worker" in (other_machine.home / "worker.log").read_text())
    assert jobs.status(run_id) is RunStatus.RUNNING  # by the first: one at a time
    at_work = worker_at_work()
    assert at_work
    assert (at_work.pid, at_work.workflow_id) == (first.pid, f"run-{run_id}-1")
    kill(first)
    wait_for(lambda: (found := worker_at_work()) and found.pid == second.pid)
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=NUM_TASKS, iterations=1, num_samples=4)


def test_a_run_whose_adapters_are_in_another_home_is_not_continued(home: Path) -> None:
    db.init(home)
    made_of = dict.fromkeys(("sha256", "base_model", "base_revision", "reference"), "x")
    with db.open_session() as session:
        run = queries.create_run(session, name="a run", config={}, num_train=1, num_heldout=1)
        iteration = recording.ensure_iteration(session, run_id=run.id, number=1)
        adapter = Adapter("/elsewhere/runs/1/adapter-1", **made_of)
        recording.add_adapter(session, iteration_id=iteration, row=asdict(adapter))
    with pytest.raises(CodeLutraError, match="run 1 was begun under another CODELUTRA_HOME"):
        check_home(run.id)


@pytest.fixture
def server() -> Iterator[PrivatePostgres]:
    if not programs():
        pytest.skip("PostgreSQL is not installed")
    with private_postgres() as server:
        yield server


@pytest.mark.postgres
def test_a_run_outlives_a_postgres_that_is_killed(
    server: PrivatePostgres, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", server.new_database())
    jobs.prepare(home)
    lab = Lab(home)
    run_id = lab.submit(**{**SMALL, "max_train": NUM_TASKS})
    worker = lab.started_worker()
    try:
        wait_for(lambda: counted(run_id) > NUM_TASKS)
        os.kill(server.pid, signal.SIGKILL)
        time.sleep(2)
        server.start()
        wait_for(lambda: is_so(lambda: jobs.status(run_id) is RunStatus.COMPLETED))
        assert_complete(run_id, tasks=NUM_TASKS, iterations=1, num_samples=4)
        assert worker.poll() is None  # the same process, begun anew
        assert len([line for line in log_of(run_id) if "at work" in line]) == 2
    finally:
        end(worker)


def is_so(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except (db.StorageError, DBAPIError):
        return False


def end(worker: Process) -> None:
    kill(worker)
    assert worker.stdout
    worker.stdout.close()


@pytest.mark.postgres
def test_a_lock_says_when_its_connection_is_gone(home: Path) -> None:
    with new_postgres() as url:
        home.mkdir()
        lock = DatabaseLock(db.with_driver(url), home)
        assert lock.acquire(lambda: False, print)
        assert lock.is_held()
    assert not lock.is_held()
