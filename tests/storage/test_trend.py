"""What the charts read is mapped to the right policy."""

from storage import db, queries, recording
from storage.trend import Validation, run_trend
from tests.storage.rows import iteration, pair, sample


def test_a_policy_is_shown_with_the_programs_drawn_from_it(run_id: int) -> None:
    verdicts = ["correct", "syntax_error", "wrong_result", "correct", "harness_error", None]
    scores = {"pass_at_1": 0.5, "ci95": [0.4, 0.6], "num_tasks": 9, "syntax_error": 0.1}
    with db.open_session() as session:
        base, first = iteration(session, run_id, 0), iteration(session, run_id, 1)
        recording.add_scores(session, iteration_id=base, row={**scores, "verdicts": {"correct": 9}})
        rows = [sample("a", index, verdict) for index, verdict in enumerate(verdicts)]
        recording.add_samples(session, iteration_id=first, split="train", rows=rows)
        recording.add_pairs(session, iteration_id=first, rows=[pair(0, 1)])
        for seconds in (1.5, 2.0):
            recording.add_seconds(session, iteration_id=first, phase="sample", seconds=seconds)
    with db.open_session() as session:
        points = run_trend(session, run_id=run_id)
    assert [point.iteration for point in points] == [0, 1]
    assert (points[0].pass_at_1, points[0].num_tasks, points[0].verdicts) == (
        0.5,
        9,
        {"correct": 9},
    )
    assert (points[0].num_sampled, points[0].sampled_syntax_error) == (4, 0.25)
    assert points[0].sampled_verdicts["harness_error"] == 1
    assert (points[0].num_pairs, points[0].seconds) == (0, {})
    assert (points[1].pass_at_1, points[1].sampled_syntax_error) == (None, None)
    assert (points[1].num_pairs, points[1].seconds) == (1, {"sample": 3.5})


def test_the_validation_scores_are_kept_apart_from_the_held_out_ones(run_id: int) -> None:
    scores = {"pass_at_1": 0.6, "ci95": [0.5, 0.7], "num_tasks": 8, "syntax_error": 0.0}
    row = {**scores, "verdicts": {"correct": 5, "timeout": 3}}
    with db.open_session() as session:
        where = iteration(session, run_id, 1)
        recording.add_scores(session, iteration_id=where, row=row, split="validation")
    with db.open_session() as session:
        (point,) = run_trend(session, run_id=run_id)
    assert point.validation == Validation(0.6, 0.5, 0.7, 8)
    assert (point.pass_at_1, point.num_tasks) == (None, None)


def test_a_run_is_made_with_its_validation_tasks_or_without(run_id: int) -> None:
    with db.open_session() as session:
        made = queries.create_run(
            session, name="r", config={}, num_train=8, num_heldout=4, num_validation=2
        )
        old = queries.get_run(session, run_id=run_id)
        assert old is not None
        assert (made.num_validation, old.num_validation) == (2, 0)
