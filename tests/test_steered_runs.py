"""What people decide of runs: their order, where they end, notes and tags. Real workers."""

import pytest

from codelutra.gauges import Gauges
from storage import db, gauges, jobs, queries, recording, steering
from storage.db import StorageError
from storage.run_status import RunStatus
from tests.lab import Lab, database, kill, lab, wait_for

__all__ = ["database", "lab"]

SMALL = {"iterations": 1, "max_train": 2, "sampling": {"num_samples": 2}}
LONG = {"iterations": 3, "max_train": 8, "sampling": {"num_samples": 2}}


def begun(run_id: int) -> int:
    with db.open_session() as session:
        return queries.newest_iteration(session, run_id=run_id)


def evaluated(run_id: int) -> list[int]:
    with db.open_session() as session:
        rows = queries.iterations(session, run_id=run_id)
        return [row.number for row in rows if row.pass_at_1 is not None]


def started(lab: Lab, run_ids: list[int]) -> list[int]:
    """In the order in which they were taken up."""

    def at_work() -> list[int] | None:
        with db.open_session() as session:
            found = {id: queries.log_lines(session, run_id=id, limit=99) for id in run_ids}
        times = {line.created_at: id for id, lines in found.items() for line in lines
                 if "at work" in line.message}  # fmt: skip
        return [times[when] for when in sorted(times)] if len(times) == len(run_ids) else None

    found: list[int] = wait_for(at_work)
    return found


@pytest.mark.slow
def test_the_queue_is_taken_up_in_the_order_that_people_gave_it(lab: Lab) -> None:
    a, b, c = (lab.submit(**SMALL) for _ in range(3))
    assert steering.waiting() == [a, b, c]
    steering.move(c, by=-2)
    steering.move(a, by=1)
    d = lab.submit(**SMALL)  # what comes later is last
    assert steering.waiting() == [c, b, a, d]
    steering.move(d, by=-99)
    steering.move(d, by=1)
    jobs.cancel(b)
    jobs.resume(b)  # to the end of the queue
    assert steering.waiting() == [c, d, a, b]
    lab.started_worker()
    assert started(lab, [a, b, c, d]) == [c, d, a, b]
    lab.wait_for(b, RunStatus.COMPLETED)
    assert steering.waiting() == []
    with pytest.raises(StorageError, match=f"run {b} does not wait any more"):
        steering.move(b, by=1)


@pytest.mark.slow
def test_a_killed_worker_goes_on_with_its_run_before_those_that_were_moved(lab: Lab) -> None:
    worker = lab.started_worker(batch_s=0.05)
    first = lab.submit(**LONG)
    lab.wait_for(first, RunStatus.RUNNING)
    second, third = lab.submit(**SMALL), lab.submit(**SMALL)
    steering.move(third, by=-1)
    kill(worker)
    assert jobs.status(first) is RunStatus.INTERRUPTED
    lab.started_worker()
    lab.wait_for(second, RunStatus.COMPLETED)
    assert jobs.statuses([first, third]) == dict.fromkeys([first, third], RunStatus.COMPLETED)
    assert started(lab, [second, third]) == [third, second]


@pytest.mark.slow
def test_a_run_ends_after_the_iteration_under_way_even_if_its_worker_is_killed(lab: Lab) -> None:
    run_id = lab.submit(**LONG)
    worker = lab.started_worker(batch_s=0.05)
    wait_for(lambda: begun(run_id) == 1)
    assert steering.stop_after_iteration(run_id) == 1
    kill(worker)
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert evaluated(run_id) == [0, 1]
    with pytest.raises(StorageError, match="is completed: where it ends cannot be changed"):
        steering.go_on(run_id)


@pytest.mark.slow
def test_a_run_that_is_to_end_can_be_told_to_go_on(lab: Lab) -> None:
    run_id = lab.submit(**{**LONG, "iterations": 2})
    lab.started_worker(batch_s=0.05)
    wait_for(lambda: begun(run_id) == 1)
    steering.stop_after_iteration(run_id)
    jobs.pause(run_id)
    lab.wait_for(run_id, RunStatus.PAUSED)
    assert steering.end_of(run_id) == 1
    steering.go_on(run_id)
    jobs.resume(run_id)
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert evaluated(run_id) == [0, 1, 2]


def test_an_iteration_that_began_before_the_wish_was_heard_is_finished(lab: Lab) -> None:
    """The wish says 1, and 2 begins in the same moment: half an iteration is never left behind."""
    run_id = lab.submit(**LONG)
    with db.open_session() as session:
        jobs.run_or_error(session, run_id).stop_after = 1
        recording.ensure_iteration(session, run_id=run_id, number=1)
    assert steering.end_of(run_id) == 1
    with db.open_session() as session:
        recording.ensure_iteration(session, run_id=run_id, number=2)
    assert steering.end_of(run_id) == 2


def test_a_queued_run_has_no_iteration_to_end_after(lab: Lab) -> None:
    run_id = lab.submit(**SMALL)
    with pytest.raises(StorageError, match="is queued: where it ends cannot be changed"):
        steering.stop_after_iteration(run_id)


def test_runs_are_found_by_name_tag_note_and_number(lab: Lab) -> None:
    first, second = lab.submit(**SMALL), lab.submit(**SMALL)
    steering.annotate(first, note="Half the rate: 50 % less", tags="Ablation, #rate ablation")

    def found(*words: str) -> list[int | None]:
        with db.open_session() as session:
            return [run.id for run in queries.list_runs(session, words=words)]

    with db.open_session() as session:
        assert jobs.run_or_error(session, first).tags == "ablation rate"
    assert found("ablation") == found("RATE", "50 %") == found(str(first), "run") == [first]
    assert found("a run") == [second, first]
    assert found("100") == found("%%") == found("nothing") == []
    with pytest.raises(StorageError, match="at most 4,000 characters"):
        steering.annotate(first, note="x" * 4001, tags="")


@pytest.mark.slow
def test_the_worker_shows_what_the_machine_does_while_a_run_is_executed(lab: Lab) -> None:
    def reading() -> dict[str, object] | None:
        with db.open_session() as session:
            return gauges.reading(session)

    assert reading() is None
    lab.submit(**LONG)
    lab.started_worker(batch_s=0.1)
    values = wait_for(reading)
    assert set(values) == set(Gauges().read())
    assert 0 < values["memory_used"] < values["memory_total"]
