"""Submitting and steering runs while no worker lives."""

import fcntl
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storage import db, jobs, queries, run_status
from storage.db import StorageError
from storage.lock import Worker, WorkerLock, find_worker, worker_alive
from storage.run_status import VERSION, RunStatus, derive_status
from tests.lab import Lab


def submit_and_fail() -> None:
    with db.open_session() as session:
        jobs.submit(session, config={}, name="never", num_train=1, num_heldout=1)
        raise ZeroDivisionError


def test_a_run_and_its_workflow_are_made_together_or_not_at_all(lab: Lab) -> None:
    with pytest.raises(ZeroDivisionError):
        submit_and_fail()
    with db.open_session() as session:
        assert queries.count_runs(session) == 0
    assert jobs.unfinished() == []
    run_id = lab.submit()
    assert [w.workflow_id for w in jobs.unfinished()] == [f"run-{run_id}-1"]
    assert jobs.statuses([run_id, 99]) == {run_id: RunStatus.QUEUED}


def test_a_queued_run_cannot_be_paused_or_resumed_but_cancelled(lab: Lab) -> None:
    run_id = lab.submit()
    with pytest.raises(StorageError, match=f"run {run_id} is queued: there is nothing to pause"):
        jobs.pause(run_id)
    with pytest.raises(StorageError, match="only a stopped run can be resumed"):
        jobs.resume(run_id)
    assert jobs.status(run_id) is RunStatus.QUEUED
    jobs.cancel(run_id)
    assert jobs.status(run_id) is RunStatus.CANCELLED
    with pytest.raises(StorageError, match="is cancelled: there is nothing to cancel"):
        jobs.cancel(run_id)
    assert jobs.error(run_id) is None


def test_resuming_queues_a_new_attempt_of_the_same_run(lab: Lab) -> None:
    run_id = lab.submit()
    jobs.cancel(run_id)
    jobs.resume(run_id)
    assert jobs.status(run_id) is RunStatus.QUEUED
    with db.open_session() as session:
        run = queries.get_run(session, run_id=run_id)
    assert run is not None
    assert (run.attempt, run.workflow_id) == (2, f"run-{run_id}-2")


def test_of_two_people_who_resume_at_once_one_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = lab.submit()
    jobs.cancel(run_id)
    monkeypatch.setattr(jobs, "_status", lambda *_: RunStatus.CANCELLED)
    with db.open_session() as session:
        stale = queries.get_run(session, run_id=run_id)
    assert stale is not None
    jobs.resume(run_id)
    monkeypatch.setattr(jobs, "run_or_error", lambda session, _: session.merge(stale, load=False))
    with pytest.raises(StorageError, match="just been resumed by somebody else"):
        jobs.resume(run_id)
    assert [workflow.workflow_id for workflow in jobs.unfinished()] == [f"run-{run_id}-2"]


def test_an_unknown_run(lab: Lab) -> None:
    for steer in (jobs.status, jobs.pause, jobs.cancel, jobs.resume, jobs.error):
        with pytest.raises(StorageError, match="there is no run 7"):
            steer(7)


def test_an_attempt_of_another_version_waits_for_somebody_to_resume_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = lab.submit()
    monkeypatch.setattr(run_status, "VERSION", "next")
    assert jobs.status(run_id) is RunStatus.INTERRUPTED
    jobs.resume(run_id)
    assert jobs.status(run_id) is RunStatus.QUEUED
    assert [workflow.app_version for workflow in jobs.unfinished()] == ["next"]


@pytest.mark.parametrize(
    ("state", "asked", "worker", "status"),
    [
        ("ENQUEUED", None, None, RunStatus.QUEUED),
        ("PENDING", None, None, RunStatus.INTERRUPTED),
        ("PENDING", None, Worker(1, "run-1-1", True), RunStatus.RUNNING),
        ("PENDING", None, Worker(1, "run-1-1", False), RunStatus.RUNNING),
        ("PENDING", None, Worker(1, "run-2-1", True), RunStatus.QUEUED),
        ("PENDING", None, Worker(1), RunStatus.QUEUED),
        ("CANCELLED", "pause", Worker(1, "run-1-1", True), RunStatus.PAUSING),
        ("CANCELLED", "pause", Worker(1, "run-1-1", False), RunStatus.PAUSED),
        ("CANCELLED", "pause", None, RunStatus.PAUSED),
        ("CANCELLED", "cancel", Worker(1, "run-1-1", True), RunStatus.CANCELLING),
        ("CANCELLED", "cancel", Worker(1, "run-1-2", True), RunStatus.CANCELLED),
        ("SUCCESS", "pause", None, RunStatus.COMPLETED),
        ("ERROR", None, Worker(1, "run-1-1", True), RunStatus.FAILED),
        ("MAX_RECOVERY_ATTEMPTS_EXCEEDED", None, None, RunStatus.FAILED),
    ],
)
def test_a_status_has_one_source(
    state: str, asked: str | None, worker: Worker | None, status: RunStatus
) -> None:
    workflow: Any = SimpleNamespace(status=state, workflow_id="run-1-1", app_version=VERSION)
    assert derive_status(workflow, asked, worker) is status


def test_a_worker_that_has_just_come_is_never_nobody(home: Path) -> None:
    lock = WorkerLock(home)
    fcntl.flock(lock._file, fcntl.LOCK_EX)
    comes = threading.Timer(0.2, lock.show, [""], {"is_executing": False})
    comes.start()
    assert worker_alive(home) == os.getpid()
    comes.join()
    lock.release()


def test_the_lock_tells_who_works_and_on_what(home: Path) -> None:
    assert worker_alive(home) is None
    lock = WorkerLock(home)
    assert lock.acquire()
    lock.show("run-1-1", is_executing=True)
    assert find_worker(home) == Worker(os.getpid(), "run-1-1", True)
    assert not WorkerLock(home).acquire()
    os.close(lock._file)
    assert worker_alive(home) is None
