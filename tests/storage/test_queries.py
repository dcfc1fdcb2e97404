"""What is written once stays once."""

from pathlib import Path

import pytest

from storage import db, queries, recording
from tests.storage.rows import iteration, pair, sample


def test_samples_written_twice_are_there_once(run_id: int) -> None:
    for _ in range(2):
        with db.open_session() as session:
            where = iteration(session, run_id, 1)
            rows = [sample("b"), sample("a", 1), sample("a")]
            recording.add_samples(session, iteration_id=where, split="train", rows=rows)
    with db.open_session() as session:
        stored = queries.samples(session, iteration_id=where, split="train")
    assert [(row.task_id, row.index) for row in stored] == [("b", 0), ("a", 1), ("a", 0)]


def test_pairs_with_the_gold_are_unique_too(run_id: int) -> None:
    rows = [pair(None, 1), pair(None, 1), pair(2, None), pair(2, None), pair(2, 1), pair(2, 1)]
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        recording.add_pairs(session, iteration_id=where, rows=rows)
        stored = queries.pairs(session, iteration_id=where)
    assert [(p.chosen_index, p.rejected_index) for p in stored] == [(None, 1), (2, None), (2, 1)]


def test_a_harness_error_is_replaced_by_a_verdict_and_a_verdict_by_nothing(run_id: int) -> None:
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        recording.add_samples(session, iteration_id=where, split="train", rows=[sample("a")])
        for verdict in ("harness_error", "correct", "timeout"):
            rows = [sample("a", verdict=verdict)]
            recording.add_verdicts(session, iteration_id=where, split="train", rows=rows)
    with db.open_session() as session:
        stored = queries.samples(session, iteration_id=where, split="train")
    assert [row.verdict for row in stored] == ["correct"]


def test_counts_of_runs_with_and_without_rows(run_id: int) -> None:
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        rows = [sample("a", 0, "correct"), sample("a", 1)]
        recording.add_samples(session, iteration_id=where, split="train", rows=rows)
        counts = queries.run_counts(session, run_ids=[run_id, 99])
    assert counts == {
        run_id: queries.RunCounts(samples=2, graded=1),
        99: queries.RunCounts(),
    }


@pytest.mark.parametrize(("stored", "shown"), [(5, 5), (1000, 1000), (1001, 501), (5432, 906)])
def test_a_long_training_curve_is_thinned_and_keeps_its_end(
    run_id: int, stored: int, shown: int
) -> None:
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        for step in range(stored):
            recording.add_training_step(session, iteration_id=where, step=step, metrics={})
    with db.open_session() as session:
        steps = [row.step for row in queries.training_steps(session, iteration_id=where)]
    assert (len(steps), steps[-1]) == (shown, stored - 1)


def test_a_loss_that_is_no_number_is_kept_as_null(run_id: int) -> None:
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        metrics = {"loss": float("nan"), "step": 1}
        recording.add_training_step(session, iteration_id=where, step=1, metrics=metrics)
    with db.open_session() as session:
        (row,) = queries.training_steps(session, iteration_id=where)
    assert row.metrics == {"loss": None, "step": 1}


def test_log_lines_are_the_newest_in_order(run_id: int) -> None:
    with db.open_session() as session:
        for number in range(5):
            queries.add_log(session, run_id=run_id, message=str(number))
        newest = queries.log_lines(session, run_id=run_id, limit=3)
        later = queries.log_lines(session, run_id=run_id, after_id=newest[1].id or 0)
    assert [line.message for line in newest] == ["2", "3", "4"]
    assert [line.message for line in later] == ["4"]


def test_progress_starts_its_clock_with_the_phase(run_id: int) -> None:
    where = {"run_id": run_id, "iteration": 1, "phase": "sample", "total": 9}
    with db.open_session() as session:
        recording.set_progress(session, **where, done=3, new=True)
    with db.open_session() as session:
        recording.set_progress(session, **where, done=6, new=False)
    with db.open_session() as session:
        row = queries.progress(session, run_id=run_id)
    assert row is not None
    assert (row.started_done, row.done, row.total) == (3, 6, 9)
    assert row.started_at < row.updated_at
    assert row.started_at.tzinfo is not None


def test_the_latest_programs_are_found_without_reading_the_others(home: Path) -> None:
    db.init(home)
    with db.current().engine.connect() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM sample WHERE iteration_id = 1 "
            "AND verdict IS NOT NULL ORDER BY id DESC LIMIT 6"
        )
        steps = [row[3] for row in plan]
    assert steps == ["SEARCH sample USING INDEX ix_sample_graded (iteration_id=?)"]
