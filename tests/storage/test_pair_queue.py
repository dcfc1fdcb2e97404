"""The queue of pairs: filters, orders, the next one, and that every query has an index."""

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import SQLModel

from storage import db, pair_queue, pairs, reviews
from storage.pair_queue import PairFilter, Place, place_of
from storage.reviews import Decision
from tests.storage.pair_rows import add_pairs


def listed(wanted: PairFilter, **options: Any) -> list[int]:
    with db.open_session() as session:
        return [row.id for row in pair_queue.page(session, wanted, **options)]


def place(pair_id: int, order: Any) -> Place:
    with db.open_session() as session:
        pair = pairs.get(session, pair_id=pair_id)
    assert pair
    return place_of(pair, order)


def test_each_order_goes_through_every_pair_once(run_id: int) -> None:
    ids = add_pairs(run_id)
    for order in pair_queue.ORDERS:
        wanted = PairFilter(run_id, order=order)  # type: ignore[arg-type]
        whole = listed(wanted)
        assert sorted(whole) == ids
        seen = listed(wanted, limit=4)
        while rest := listed(wanted, limit=4, after=place(seen[-1], order)):
            seen += rest
        assert seen == whole
    assert listed(PairFilter(run_id, order="newest")) == ids[::-1]
    assert listed(PairFilter(run_id, order="doubt")) == sorted(ids, key=lambda i: (i % 3 or 3, -i))


def test_the_next_pair_and_back_again(run_id: int) -> None:
    add_pairs(run_id)
    for order in pair_queue.ORDERS:
        wanted = PairFilter(run_id, order=order)  # type: ignore[arg-type]
        whole = listed(wanted)
        with db.open_session() as session:
            for one, two in pairwise(whole):
                assert pair_queue.neighbour(session, wanted, of=place(one, order)) == two
                back = pair_queue.neighbour(session, wanted, of=place(two, order), back=True)
                assert back == one
            assert pair_queue.neighbour(session, wanted, of=place(whole[-1], order)) is None


@pytest.mark.parametrize(
    ("narrow", "number"),
    [
        ({"state": "pending"}, 9),
        ({"state": "vetoed"}, 0),
        ({"task_id": "t1"}, 3),
        ({"rejected_verdict": "syntax_error"}, 3),
        ({"warning": "tiny_edit"}, 3),
        ({"warning": "length"}, 0),
        ({"source": "gold"}, 0),
        ({"iteration": 1}, 9),
        ({"iteration": 2}, 0),
        ({"words": "good_1"}, 3),
        ({"words": "GOOD_1 bad_2"}, 1),
        ({"words": "goo* fro*"}, 9),  # words that begin so
        ({"words": "goo from"}, 0),
        ({"words": "ood"}, 0),
        ({"words": "bad_1", "rejected_verdict": "syntax_error"}, 3),
        ({"words": "bad_1", "rejected_verdict": "timeout"}, 0),
        ({"words": "\"'; DROP TABLE * (good_1)"}, 0),
        ({"words": '"good_1" ()*:'}, 3),
    ],
)
def test_a_filter_narrows(run_id: int, narrow: dict[str, Any], number: int) -> None:
    add_pairs(run_id)
    wanted = PairFilter(run_id, **narrow)
    assert len(listed(wanted)) == number
    with db.open_session() as session:
        assert pair_queue.count(session, wanted) == number


def test_pairs_of_another_run_are_not_shown(run_id: int) -> None:
    from storage import queries

    add_pairs(run_id)
    with db.open_session() as session:
        other = queries.create_run(session, name="o", config={}, num_train=1, num_heldout=1)
    assert other.id
    theirs = add_pairs(other.id)
    assert sorted(listed(PairFilter(other.id, words="good_1 bad_1"))) == [theirs[4]]
    with db.open_session() as session:
        assert pair_queue.runs_with_pairs(session) == [other.id, run_id]


def test_a_count_stops_where_nobody_counts(run_id: int) -> None:
    add_pairs(run_id)
    with db.open_session() as session:
        assert pair_queue.count(session, PairFilter(run_id), at_most=5) == 6
        assert pair_queue.count(session, PairFilter(run_id), at_most=None) == 9


def test_a_pair_that_somebody_looks_at_is_left_out(run_id: int) -> None:
    first, second, *_ = add_pairs(run_id)
    wanted = PairFilter(run_id, task_id="t0")
    with db.open_session() as session:
        assert pairs.hold(session, pair_id=first, holder="ann#1") == ""
    with db.open_session() as session:
        assert pairs.hold(session, pair_id=first, holder="bob#2") == "ann#1"
        assert pairs.hold(session, pair_id=first, holder="ann#1") == ""
        assert pair_queue.first(session, wanted, holder="bob#2") == second
        assert pair_queue.first(session, wanted, holder="ann#1") == first
        row = pairs.get(session, pair_id=first)
        assert row
        assert pairs.held_since(row, "bob#2")
        assert not pairs.held_since(row, "ann#1")


def test_who_left_a_pair_open_does_not_hold_it_for_ever(
    run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = add_pairs(run_id)
    with db.open_session() as session:
        pairs.hold(session, pair_id=first, holder="ann#1")
    for module in (pair_queue, pairs):
        monkeypatch.setattr(module, "HELD_S", 0.0)
    with db.open_session() as session:
        assert pairs.hold(session, pair_id=first, holder="bob#2") == ""


def test_the_evidence_of_a_pair(run_id: int) -> None:
    _, second, *_ = add_pairs(run_id)
    with db.open_session() as session:
        found = pairs.evidence(session, pair_id=second)
        assert pairs.evidence(session, pair_id=999) is None
    assert found
    assert found.chosen
    assert found.rejected
    assert (found.chosen.verdict, found.rejected.verdict) == ("correct", "syntax_error")
    assert (found.num_correct, found.num_graded, found.iteration) == (1, 4, 1)
    assert (found.warnings, found.writer, found.has_trained) == (("tiny_edit",), None, False)


TABLES = set(SQLModel.metadata.tables)
QUERIES = [
    {},
    {"state": "pending"},
    {"rejected_verdict": "timeout"},
    {"rejected_verdict": "timeout", "state": "pending"},
    {"words": "select"},
    {"words": "select", "rejected_verdict": "timeout", "state": "pending"},
    {"warning": "tiny_edit"},
    {"task_id": "t1"},
    {"reviewer": "ann"},
    {"source": "gold"},
    {"iteration": 1},
]


# PostgreSQL reads tables of so few rows whole; benchmarks/pages.py looks there.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("order", list(pair_queue.ORDERS))
@pytest.mark.parametrize("narrow", QUERIES)
def test_no_query_reads_a_whole_table(run_id: int, narrow: dict[str, Any], order: Any) -> None:
    ids = add_pairs(run_id)
    wanted = PairFilter(run_id, **narrow, order=order)
    asked: list[tuple[str, Any]] = []
    listening = (db.current().engine, "before_cursor_execute")

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(*listening, note)
    with db.open_session() as session:
        pair_queue.page(session, wanted, after=place(ids[-1], order))
        pair_queue.first(session, wanted, holder="ann#1")
        pair_queue.neighbour(session, wanted, of=place(ids[0], order), back=True)
        pair_queue.count(session, wanted)
        pair_queue.runs_with_pairs(session)
        pairs.evidence(session, pair_id=ids[0])
        pairs.reviewers(session, run_id=run_id)
        pairs.states(session, run_id=run_id)
        reviews.undoable(session, run_id=run_id, reviewer="ann")
        reviews.history(session, pair_id=ids[0])
    event.remove(*listening, note)
    assert len(asked) > 10
    with db.current().engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for *_, detail in plan:
                is_whole = detail.startswith("SCAN ") and "INDEX" not in detail
                assert not is_whole or detail.split()[1] not in TABLES, (detail, statement)


def test_reviews_find_their_way_into_the_filters(run_id: int) -> None:
    first, second, *_ = add_pairs(run_id)
    with db.open_session() as session:
        reviews.decide(
            session, pair_id=first, version=0, decision=Decision("veto", "ann", "wrong_gold")
        )
        reviews.decide(session, pair_id=second, version=0, decision=Decision("keep", "bob"))
        assert pairs.states(session, run_id=run_id) == {"pending": 7, "kept": 1, "vetoed": 1}
        assert pairs.reviewers(session, run_id=run_id) == ["ann", "bob"]
    assert listed(PairFilter(run_id, state="vetoed")) == [first]
    assert listed(PairFilter(run_id, reviewer="bob")) == [second]
