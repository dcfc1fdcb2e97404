"""Real workers on a real database with a fake loop: start, steer, kill, recover."""

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from storage import db, jobs, queries
from storage.db import StorageError
from storage.lock import worker_alive
from storage.run_status import RunStatus
from tests.lab import Lab, database, kill, lab, wait_for

__all__ = ["database", "lab"]

SMALL: dict[str, Any] = {"max_train": 5, "iterations": 1, "sampling": {"num_samples": 4}}
LONG: dict[str, Any] = {**SMALL, "max_train": 1000}


def log_of(run_id: int) -> list[str]:
    with db.open_session() as session:
        lines = queries.log_lines(session, run_id=run_id)
    return [line.message for line in lines]


def assert_complete(run_id: int, tasks: int, iterations: int, num_samples: int) -> None:
    """The rows of an undisturbed run: all of them, and none twice."""
    with db.open_session() as session:
        rows = queries.iterations(session, run_id=run_id)
        assert [row.number for row in rows] == list(range(iterations + 1))
        for row in rows:
            assert row.id is not None
            assert row.num_tasks == tasks
            is_base = row.number == 0
            for split, each in (("train", 0 if is_base else num_samples), ("heldout", 1)):
                samples = queries.samples(session, iteration_id=row.id, split=split)
                assert len({(s.task_id, s.index) for s in samples}) == len(samples) == tasks * each
                assert all(s.verdict for s in samples)
            pairs = queries.pairs(session, iteration_id=row.id)
            assert len(pairs) == (0 if is_base else tasks * num_samples // 2)
            assert (queries.adapter(session, iteration_id=row.id) is None) == is_base
            steps = queries.training_steps(session, iteration_id=row.id)
            assert [step.step for step in steps] == ([] if is_base else [0, 1, 2, 3, 4])


def test_a_run_is_worked_off_and_leaves_its_rows(lab: Lab) -> None:
    run_id = lab.submit(**SMALL)
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.RUNNING)
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=5, iterations=1, num_samples=4)
    assert log_of(run_id)[-1] == "completed"
    with pytest.raises(StorageError, match="is completed: there is nothing to cancel"):
        jobs.cancel(run_id)
    with pytest.raises(StorageError, match="is completed: only a stopped run can be resumed"):
        jobs.resume(run_id)


@pytest.mark.slow
def test_runs_wait_for_each_other_and_a_paused_one_lets_the_next_go(lab: Lab) -> None:
    lab.started_worker()
    first, second = lab.submit(**LONG), lab.submit(**SMALL)
    lab.wait_for(first, RunStatus.RUNNING)
    assert jobs.status(second) is RunStatus.QUEUED
    with pytest.raises(StorageError, match="is running: only a stopped run can be resumed"):
        jobs.resume(first)
    jobs.pause(first)
    assert jobs.status(first) in (RunStatus.PAUSING, RunStatus.PAUSED)
    with pytest.raises(StorageError, match="nothing to pause"):
        jobs.pause(first)
    lab.wait_for(second, RunStatus.COMPLETED)
    assert jobs.status(first) is RunStatus.PAUSED
    assert log_of(first)[-1] == "stopped; what is finished is kept"
    assert jobs.error(first) is None


@pytest.mark.slow
def test_a_paused_run_goes_on_where_it_was(lab: Lab) -> None:
    run_id = lab.submit(**{**SMALL, "max_train": 10})
    lab.started_worker(batch_s=0.05)
    wait_for(lambda: counted(run_id) > 5)
    jobs.pause(run_id)
    lab.wait_for(run_id, RunStatus.PAUSED)
    kept = counted(run_id)
    time.sleep(0.3)
    assert counted(run_id) == kept
    jobs.resume(run_id)
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=10, iterations=1, num_samples=4)
    with db.open_session() as session:
        progress = queries.progress(session, run_id=run_id)
    assert progress is not None
    assert (progress.phase, progress.done, progress.total) == ("evaluate", 10, 10)


@pytest.mark.slow
def test_a_resume_while_the_old_attempt_is_stopping_never_runs_both(lab: Lab) -> None:
    run_id = lab.submit(**LONG)
    lab.started_worker(batch_s=0.5)
    lab.wait_for(run_id, RunStatus.RUNNING)
    jobs.pause(run_id)
    jobs.resume(run_id)
    wait_for(lambda: log_of(run_id)[-1].startswith(f"run-{run_id}-2: worker"))
    # On a busy machine the old attempt may have stopped before the resume was even asked for.
    first, second = (f"run-{run_id}-{n}: worker" for n in (1, 2))
    story = [line for line in log_of(run_id) if line.startswith((first, second, "stopped;"))]
    assert [line.split(":")[0].split(";")[0] for line in story] == [
        f"run-{run_id}-1",
        "stopped",
        f"run-{run_id}-2",
    ]


def test_a_cancelled_run_stops_and_stays_cancelled(lab: Lab) -> None:
    run_id = lab.submit(**LONG)
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.RUNNING)
    jobs.cancel(run_id)
    lab.wait_for(run_id, RunStatus.CANCELLED)
    time.sleep(1)
    assert jobs.status(run_id) is RunStatus.CANCELLED


def test_a_failure_is_told_in_one_line_and_can_be_resumed(lab: Lab) -> None:
    broken, full = lab.submit(**SMALL, seed=13), lab.submit(**SMALL, seed=14)
    lab.started_worker()
    lab.wait_for(full, RunStatus.FAILED)
    assert jobs.error(broken) == "the loss is not a number"
    assert (jobs.error(full) or "").startswith("no space left on the disk")
    assert log_of(broken)[-1] == "failed: the loss is not a number"
    assert "Traceback" in (lab.home / "runs" / str(broken) / "run.log").read_text()
    jobs.resume(broken)
    lab.wait_for(broken, RunStatus.FAILED)
    assert [line for line in log_of(broken) if "evaluated" in line] == ["iteration 0 evaluated"]


@pytest.mark.slow
def test_a_killed_worker_leaves_an_interrupted_run_that_the_next_one_finishes(lab: Lab) -> None:
    run_id = lab.submit(**{**SMALL, "max_train": 20})
    worker = lab.started_worker()
    wait_for(lambda: counted(run_id) > 25)
    kill(worker)
    assert jobs.status(run_id) is RunStatus.INTERRUPTED
    assert worker_alive(lab.home) is None
    with pytest.raises(StorageError, match="it continues when a worker starts"):
        jobs.resume(run_id)
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=20, iterations=1, num_samples=4)
    assert "iteration 0 evaluated" in log_of(run_id)
    assert log_of(run_id).count("iteration 0 evaluated") == 1


def test_a_terminated_worker_leaves_quickly_and_no_failure(lab: Lab) -> None:
    run_id = lab.submit(**LONG)
    worker = lab.started_worker()
    lab.wait_for(run_id, RunStatus.RUNNING)
    started = time.monotonic()
    assert kill(worker, signal.SIGTERM) == 0
    assert time.monotonic() - started < 10
    assert worker.stdout is not None
    assert worker.stdout.read() == ""
    assert jobs.status(run_id) is RunStatus.INTERRUPTED
    jobs.cancel(run_id)
    assert jobs.status(run_id) is RunStatus.CANCELLED


def test_a_terminated_worker_takes_its_children_along_and_blames_nobody(lab: Lab) -> None:
    run_id = lab.submit(**{**SMALL, "max_train": 1}, seed=15)
    worker = lab.started_worker()
    line = wait_for(lambda: [line for line in log_of(run_id) if line.startswith("child")])[0]
    kill(worker, signal.SIGTERM)
    wait_for(lambda: not is_alive(int(line.split()[1])))
    assert jobs.status(run_id) is RunStatus.INTERRUPTED
    assert jobs.error(run_id) is None


@pytest.mark.slow
def test_a_second_worker_is_refused(lab: Lab) -> None:
    first = lab.started_worker()
    second = lab.start_worker()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert output == f"worker already running (pid {first.pid}) on {lab.home}\n"


@pytest.mark.parametrize(
    "database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_a_worker_of_another_home_on_the_same_database_is_refused(lab: Lab) -> None:
    lab.started_worker()
    elsewhere = Lab(lab.home.with_name("elsewhere"))
    second = elsewhere.start_worker()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "of another CODELUTRA_HOME, works on this database" in output


@pytest.mark.slow
def test_a_worker_outlives_its_parent_until_the_work_is_done(lab: Lab) -> None:
    parent = subprocess.Popen(["sleep", "600"], text=True)
    run_id = lab.submit(**SMALL)
    worker = lab.start_worker(str(parent.pid), batch_s=0.1)  # long enough to be seen running
    lab.wait_for(run_id, RunStatus.RUNNING)
    kill(parent)
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert worker.wait(60) == 0


@pytest.mark.slow
@pytest.mark.parametrize(  # on SQLite: test_kills.py
    "database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_five_kills_at_random_moments_lose_and_double_nothing(lab: Lab) -> None:
    chance = random.Random(11)
    run_id = lab.submit(max_train=30, iterations=3, sampling={"num_samples": 4})
    for number in range(5):
        worker = lab.started_worker(batch_s=0.06)
        time.sleep(chance.uniform(0.0, 1.0 if number % 3 == 0 else 2.5))
        kill(worker)
        assert jobs.status(run_id) in (RunStatus.QUEUED, RunStatus.INTERRUPTED), number
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.COMPLETED, seconds=300)
    assert_complete(run_id, tasks=30, iterations=3, num_samples=4)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def counted(run_id: int) -> int:
    with db.open_session() as session:
        return queries.run_counts(session, run_ids=[run_id])[run_id].samples
