"""Checks of task sets as the page asks for them, and how often tasks were solved."""

from types import SimpleNamespace
from typing import Any

import pytest

from storage import checks, db, jobs, queries, recording, run_status
from storage.db import StorageError
from storage.models import TaskCheck
from storage.run_status import RunStatus, derive_check_status
from storage.solved import solved_counts
from tests.lab import Lab


def newest(tasks: str = "starter") -> TaskCheck:
    with db.open_session() as session:
        check = checks.newest_check(session, tasks=tasks)
    assert check
    return check


def test_a_set_is_checked_by_one_check_at_a_time(lab: Lab) -> None:
    first = checks.submit(tasks="starter", total=3)
    with pytest.raises(StorageError, match="starter is being checked already"):
        checks.submit(tasks="starter", total=3)
    checks.submit(tasks="another", total=3)
    assert checks.status(newest()) is RunStatus.QUEUED
    assert [w.workflow_id for w in jobs.unfinished()] == [f"check-{first}", f"check-{first + 1}"]
    checks.cancel(first)
    assert checks.status(newest()) is RunStatus.CANCELLED
    assert checks.submit(tasks="starter", total=3) == first + 2


def test_findings_are_those_of_the_newest_check_that_ended(lab: Lab) -> None:
    first = checks.submit(tasks="starter", total=3)
    with db.open_session() as session:
        checks.set_done(session, check_id=first, done=2)
        assert checks.newest_findings(session, tasks="starter") is None
    found = [{"task_id": "a", "problem": "empty", "reason": "no rows"}]
    with db.open_session() as session:
        checks.finish(session, check_id=first, findings=found)
    checks.cancel(first)
    checks.submit(tasks="starter", total=3)
    with db.open_session() as session:
        ended = checks.newest_findings(session, tasks="starter")
    assert ended
    assert (ended.id, ended.done, ended.findings) == (first, 3, found)


@pytest.mark.parametrize(
    ("workflow", "has_worker", "expected"),
    [
        ("ENQUEUED", True, RunStatus.QUEUED),
        ("PENDING", True, RunStatus.RUNNING),
        ("PENDING", False, RunStatus.INTERRUPTED),
        ("SUCCESS", False, RunStatus.COMPLETED),
        ("CANCELLED", True, RunStatus.CANCELLED),
        ("ERROR", True, RunStatus.FAILED),
    ],
)
def test_the_status_of_a_check(workflow: str, has_worker: bool, expected: RunStatus) -> None:
    found: Any = SimpleNamespace(status=workflow, app_version=run_status.VERSION)
    worker: Any = SimpleNamespace() if has_worker else None
    assert derive_check_status(found, worker) is expected


def test_a_check_that_nobody_will_take_up_is_over() -> None:
    found: Any = SimpleNamespace(status="ENQUEUED", app_version="older")
    assert derive_check_status(found, None) is RunStatus.CANCELLED
    assert derive_check_status(None, None) is RunStatus.FAILED


def test_tasks_are_counted_over_all_runs_of_their_set(lab: Lab) -> None:
    verdicts = {"a": ("correct", "wrong_result", "harness_error"), "b": ("syntax_error", None)}
    with db.open_session() as session:
        for tasks in ("mine", "mine", "another"):
            run = queries.create_run(
                session, name="r", config={"tasks": tasks}, num_train=2, num_heldout=1
            )
            assert run.id is not None
            iteration = recording.ensure_iteration(session, run_id=run.id, number=1)
            rows = [
                {"task_id": task, "index": place, "completion": "x", "verdict": verdict,
                 "detail": "", "seconds": 0.0, "flaky": False, "output": "", "extraction": ""}
                for task, labels in verdicts.items()
                for place, verdict in enumerate(labels)
            ]  # fmt: skip
            recording.add_samples(session, iteration_id=iteration, split="train", rows=rows)
    with db.open_session() as session:
        assert solved_counts(session, tasks="mine") == {"a": (2, 4), "b": (0, 2)}
        assert solved_counts(session, tasks="nobody's") == {}
