"""Checks of golds by real workers on a real database: beside a run, cancelled, killed."""

import json
from pathlib import Path

import pytest

from codelutra.backends import ZERO_GPU
from storage import checks, db, jobs
from storage.models import TaskCheck
from storage.run_status import RunStatus
from tests.lab import Lab, database, kill, lab, wait_for
from tests.test_worker import LONG, SMALL

__all__ = ["database", "lab"]


def check_set(tmp_path: Path, number: int) -> str:
    golds = ["result = 1 / 0", *(f"result = {n}" for n in range(1, number))]
    path = tmp_path / "golds.jsonl"
    path.write_text(
        "".join(
            json.dumps({"task_id": f"t{n}", "kind": "python", "prompt": "p", "gold": gold}) + "\n"
            for n, gold in enumerate(golds)
        )
    )
    return str(path)


def check_now(tasks: str) -> TaskCheck:
    with db.open_session() as session:
        check = checks.newest_check(session, tasks=tasks)
    assert check is not None
    return check


@pytest.mark.slow
def test_where_no_run_can_be_executed_they_wait_and_golds_are_checked(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = lab.submit(**LONG)
    worker = lab.started_worker()
    lab.wait_for(under_way, RunStatus.RUNNING)
    kill(worker)
    waiting = lab.submit(**SMALL)
    tasks = check_set(tmp_path, 3)
    checks.submit(tasks=tasks, total=3)
    monkeypatch.setenv(ZERO_GPU, "true")
    lab.started_worker()
    wait_for(lambda: checks.status(check_now(tasks)) is RunStatus.COMPLETED)
    assert [jobs.status(run_id) for run_id in (under_way, waiting)] == [RunStatus.QUEUED] * 2


def test_golds_are_checked_beside_a_run(lab: Lab, tmp_path: Path) -> None:
    tasks = check_set(tmp_path, 3)
    lab.started_worker()
    run_id = lab.submit(**LONG)
    lab.wait_for(run_id, RunStatus.RUNNING)
    checks.submit(tasks=tasks, total=3)
    wait_for(lambda: checks.status(check_now(tasks)) is RunStatus.COMPLETED)
    check = check_now(tasks)
    assert check.findings is not None
    assert [(one["task_id"], one["problem"]) for one in check.findings] == [("t0", "failing")]
    assert (check.done, check.total) == (3, 3)
    assert jobs.status(run_id) is RunStatus.RUNNING


@pytest.mark.slow
def test_a_check_that_is_cancelled_stops_and_leaves_no_findings(lab: Lab, tmp_path: Path) -> None:
    tasks = check_set(tmp_path, 3000)
    lab.started_worker()
    check_id = checks.submit(tasks=tasks, total=3000)
    wait_for(lambda: check_now(tasks).done > 0)
    checks.cancel(check_id)
    assert checks.status(check_now(tasks)) is RunStatus.CANCELLED
    done = check_now(tasks).done
    assert done < 3000
    wait_for(lambda: not [w for w in jobs.unfinished() if w.workflow_id.startswith("check")])
    checks.submit(tasks=tasks, total=3000)  # the next one is taken up: the worker is free again
    wait_for(lambda: check_now(tasks).done > 0)


@pytest.mark.slow
def test_a_check_whose_worker_is_killed_is_done_by_the_next(lab: Lab, tmp_path: Path) -> None:
    tasks = check_set(tmp_path, 400)
    worker = lab.started_worker()
    checks.submit(tasks=tasks, total=400)
    wait_for(lambda: check_now(tasks).done > 0)
    kill(worker)
    assert checks.status(check_now(tasks)) is RunStatus.INTERRUPTED
    lab.started_worker()
    wait_for(lambda: checks.status(check_now(tasks)) is RunStatus.COMPLETED)
    assert len(check_now(tasks).findings or []) == 1


def test_a_check_of_a_set_that_is_gone_says_so(lab: Lab, tmp_path: Path) -> None:
    tasks = str(tmp_path / "gone.jsonl")
    lab.started_worker()
    checks.submit(tasks=tasks, total=1)
    wait_for(lambda: checks.status(check_now(tasks)) is RunStatus.FAILED)
    assert checks.error(check_now(tasks)).startswith(f"no task set {tasks!r}")
