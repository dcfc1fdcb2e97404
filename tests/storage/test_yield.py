"""An iteration's yield, its training and its alerts, counted without reading rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event
from sqlmodel import Session

from storage import db, health, queries, recording, reviews
from storage.health import Funnel
from storage.reviews import Decision
from tests.storage.rows import iteration, pair, sample

FACTS = {"num_pairs": 2, "num_dropped": 1, "stock_tokens": 90, "run_tokens": 30, "fallback": ""}


def add_programs(session: Session, run_id: int) -> int:
    """Task a has both kinds; b has correct ones alone, c incorrect ones alone, and d and e would
    have both if it were not for a flaky program and a harness error."""
    where = iteration(session, run_id, 1)
    rows = [
        sample("a", 0, "correct"), sample("a", 1, "timeout"),
        sample("b", 0, "correct"), sample("b", 1, "correct"),
        sample("c", 0, "wrong_result"), sample("c", 1, "syntax_error"),
        sample("d", 0, "correct"), sample("d", 1, "timeout", flaky=True),
        sample("e", 0, "correct"), sample("e", 1, "harness_error"), sample("e", 2),
    ]  # fmt: skip
    recording.add_samples(session, iteration_id=where, split="train", rows=rows)
    others = [sample("a", 0, "correct"), sample("v", 0, "correct"), sample("v", 1, "timeout")]
    recording.add_samples(session, iteration_id=where, split="validation", rows=others)
    return where


def funnel(run_id: int) -> Funnel:
    with db.open_session() as session:
        found = health.funnel(session, run_id=run_id, number=1)
    assert found is not None
    return found


def review(session: Session, pair_id: int | None, *actions: str) -> None:
    assert pair_id
    for version, action in enumerate(actions):
        reviews.decide(session, pair_id=pair_id, version=version, decision=Decision(action, "me"))


def test_what_is_not_known_before_pairing_and_training_is_none(run_id: int) -> None:
    with db.open_session() as session:
        add_programs(session, run_id)
    assert funnel(run_id) == Funnel(
        tasks=2, samples=11, graded=9, mixed_tasks=1,
        gold_tasks=None, pairs=None, kept_pairs=None, trained_pairs=None,
    )  # fmt: skip


def test_a_yield_counts_from_tasks_to_the_pairs_that_train(run_id: int) -> None:
    with db.open_session() as session:
        where = add_programs(session, run_id)
        rows = [pair(0, 1), pair(None, 0, "c"), pair(None, 1, "c"), pair(None, 1, "f")]
        recording.add_pairs(session, iteration_id=where, rows=rows)
        recording.add_training_facts(session, iteration_id=where, facts=FACTS)
    found = funnel(run_id)
    assert (found.gold_tasks, found.pairs, found.kept_pairs) == (2, 4, 4)
    assert found.trained_pairs == 2


def test_the_newest_review_of_a_pair_says_whether_it_is_vetoed(run_id: int) -> None:
    with db.open_session() as session:
        where = add_programs(session, run_id)
        rows = [pair(0, 1), pair(None, 0, "c"), pair(None, 1, "c"), pair(2, 1)]
        recording.add_pairs(session, iteration_id=where, rows=rows)
        first, second, third, _ = queries.pairs(session, iteration_id=where)
        before = health.newest_review(session)
        review(session, first.id, "veto", "veto")
        review(session, second.id, "veto", "keep")
        review(session, third.id, "flip", "veto")
        assert health.newest_review(session) > before
    assert funnel(run_id).kept_pairs == 2


def test_an_unknown_iteration_has_no_yield(run_id: int) -> None:
    with db.open_session() as session:
        assert health.funnel(session, run_id=run_id, number=7) is None


def test_the_yield_of_a_large_run_is_counted_by_indexes(home: Path) -> None:
    db.init(home)
    with db.open_session() as session:
        run = queries.create_run(session, name="r", config={}, num_train=2, num_heldout=1)
        assert run.id
        where = add_programs(session, run.id)
        recording.add_pairs(session, iteration_id=where, rows=[pair(0, 1)])
    with statements() as asked:
        funnel(run.id)
    with db.current().engine.connect() as connection:
        plans = [
            row[3]
            for statement, values in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert any("SEARCH sample" in plan for plan in plans)
    assert any("SEARCH preferencepair" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith(("SCAN sample", "SCAN preferencepair"))]


@contextmanager
def statements() -> Iterator[list[tuple[str, tuple[object, ...]]]]:
    """What is asked of the database meanwhile."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    engine = db.current().engine

    def note(_connection, _cursor, statement, values, *_) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("SELECT"):
            asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_trainings_are_known_by_their_last_step(run_id: int) -> None:
    with db.open_session() as session:
        iteration(session, run_id, 0)
        first, second = iteration(session, run_id, 1), iteration(session, run_id, 2)
        for step in (1, 2, 3):
            recording.add_training_step(session, iteration_id=first, step=step, metrics={})
        recording.add_training_facts(session, iteration_id=first, facts=FACTS)
    with db.open_session() as session:
        found = health.trainings(session, run_id=run_id)
    assert [(t.number, t.iteration_id, t.last_step, t.facts) for t in found] == [
        (1, first, 3, FACTS),
        (2, second, None, None),
    ]


def test_alerts_are_those_of_the_run_with_the_newest_first(run_id: int) -> None:
    with db.open_session() as session:
        other = queries.create_run(session, name="o", config={}, num_train=2, num_heldout=1)
        assert other.id
        for run, number, kind in ((run_id, 1, "few_pairs"), (run_id, 2, "diverged"),
                                  (other.id, 1, "diverged")):  # fmt: skip
            row = {"kind": kind, "seen": "s", "advice": "a", "step": number}
            where = iteration(session, run, number)
            recording.add_alert(session, iteration_id=where, row=row)
    with db.open_session() as session:
        found = health.run_alerts(session, run_id=run_id)
        newest = health.run_alerts(session, run_id=run_id, limit=1)
        assert health.count_alerts(session, run_id=run_id) == 2
    assert [(r.iteration, r.alert.kind) for r in found] == [(2, "diverged"), (1, "few_pairs")]
    assert [r.iteration for r in newest] == [2]
