"""Decisions about pairs: events, undo, bulk, lost updates refused, and what training is given."""

from typing import Any

import pytest

from storage import db, pair_queue, pairs, reviews
from storage.db import StorageError
from storage.pair_models import PreferencePair, Trial
from storage.pair_queue import PairFilter
from storage.reviews import Conflict, Decision
from tests.storage.pair_rows import add_pairs


def get(pair_id: int) -> PreferencePair:
    with db.open_session() as session:
        found = pairs.get(session, pair_id=pair_id)
    assert found
    return found


def decide(pair_id: int, action: str, who: str = "ann", **why: str) -> PreferencePair:
    version = get(pair_id).version
    with db.open_session() as session:
        return reviews.decide(
            session, pair_id=pair_id, version=version, decision=Decision(action, who, **why)
        )


def undo(run_id: int, who: str = "ann") -> Any:
    with db.open_session() as session:
        return reviews.undo(session, run_id=run_id, reviewer=who)


def state(pair_id: int) -> tuple[str, str, str]:
    row = get(pair_id)
    return row.state, row.reason, row.reviewer


def edit(pair_id: int, side: str, text: str) -> None:
    with db.open_session() as session:
        trial = Trial(tasks="starter", task_id="t0", completion=text)
        session.add(trial)
        session.flush()
        assert trial.id
        reviews.edit(
            session, pair_id=pair_id, version=get(pair_id).version, side=side, text=text,
            trial_id=trial.id, reviewer="ann",
        )  # fmt: skip


def test_every_change_is_an_event_that_says_who_what_and_why(run_id: int) -> None:
    first, *_ = add_pairs(run_id)
    decide(first, "veto", reason="wrong_gold", note="the gold forgets NULL")
    decide(first, "keep", "bob")
    with db.open_session() as session:
        keep, veto = reviews.history(session, pair_id=first)
    assert (veto.action, veto.reviewer, veto.reason) == ("veto", "ann", "wrong_gold")
    assert (veto.note, veto.was_state) == ("the gold forgets NULL", "pending")
    assert (keep.action, keep.reviewer, keep.was_state, keep.was_reason) == (
        "keep", "bob", "vetoed", "wrong_gold",
    )  # fmt: skip
    assert state(first) == ("kept", "", "bob")
    assert keep.created_at >= veto.created_at


def test_a_flip_of_a_flipped_pair_turns_it_back(run_id: int) -> None:
    first, *_ = add_pairs(run_id)
    assert decide(first, "flip").state == "flipped"
    assert decide(first, "flip").state == "kept"


def test_who_decides_on_an_old_version_is_told_and_changes_nothing(run_id: int) -> None:
    first, *_ = add_pairs(run_id)
    decide(first, "keep", "bob")
    with (
        pytest.raises(Conflict, match=f"bob has changed pair {first} since .*: it is kept"),
        db.open_session() as session,
    ):
        reviews.decide(session, pair_id=first, version=0, decision=Decision("veto", "ann"))
    assert state(first) == ("kept", "", "bob")
    with pytest.raises(StorageError, match="no pair 999"), db.open_session() as session:
        reviews.decide(session, pair_id=999, version=0, decision=Decision("veto", "ann"))


def test_undo_goes_back_step_by_step_and_only_over_ones_own(run_id: int) -> None:
    first, second, third, *_ = add_pairs(run_id)
    decide(first, "veto", reason="trivial")
    decide(first, "keep")
    decide(second, "veto", "bob")
    decide(third, "skip")
    assert undo(run_id).pair_id == third
    assert undo(run_id).pair_id == first
    assert state(first) == ("vetoed", "trivial", "ann")
    assert undo(run_id).pair_id == first
    assert state(first) == ("pending", "", "")
    assert undo(run_id) is None
    assert state(second) == ("vetoed", "", "bob")


def test_undo_leaves_what_somebody_changed_since(run_id: int) -> None:
    first, *_ = add_pairs(run_id)
    decide(first, "veto")
    decide(first, "keep", "bob")
    done = undo(run_id)
    assert (done.num_restored, done.num_changed_since) == (0, 1)
    assert state(first) == ("kept", "", "bob")


def test_an_edit_and_its_undo(run_id: int) -> None:
    first, *_ = add_pairs(run_id)
    old = get(first)
    edit(first, "chosen", "SELECT better FROM t")
    new = get(first)
    assert (new.chosen, new.rejected, new.state) == ("SELECT better FROM t", old.rejected, "kept")
    assert new.chosen_trial_id
    undo(run_id)
    back = get(first)
    assert (back.chosen, back.state, back.chosen_trial_id) == (old.chosen, "pending", None)


def test_a_bulk_veto_and_its_undo_are_one_action(run_id: int) -> None:
    ids = add_pairs(run_id)
    decide(ids[0], "veto", "bob")
    wanted = PairFilter(run_id, task_id="t0")
    with db.open_session() as session:
        batch, number = reviews.decide_all(
            session, wanted=wanted, decision=Decision("veto", "ann", "unfair_test")
        )
    assert number == 2  # the other one was vetoed before
    assert [state(i)[0] for i in ids[:4]] == ["vetoed"] * 3 + ["pending"]
    assert state(ids[1]) == ("vetoed", "unfair_test", "ann")
    with db.open_session() as session:
        assert reviews.batch_size(session, batch=batch) == 2
        (event,) = reviews.history(session, pair_id=ids[1])
        assert (event.was_state, event.version, event.batch) == ("pending", 1, batch)
    decide(ids[2], "keep", "bob")
    done = undo(run_id)
    assert (done.num_restored, done.num_changed_since) == (1, 1)
    assert [state(i) for i in ids[:3]] == [
        ("vetoed", "", "bob"), ("pending", "", ""), ("kept", "", "bob"),
    ]  # fmt: skip
    assert undo(run_id) is None
    assert get(ids[1]).version == 2


def test_training_gets_the_pairs_as_they_were_when_it_began(run_id: int) -> None:
    kept, vetoed, flipped, edited, late, *_ = add_pairs(run_id)
    decide(vetoed, "veto")
    decide(flipped, "flip")
    edit(edited, "rejected", "SELECT worse FROM t")
    iteration_id = get(kept).iteration_id
    with db.open_session() as session:
        assert reviews.freeze(session, iteration_id=iteration_id)
    decide(late, "veto")
    decide(vetoed, "keep")
    edit(edited, "rejected", "SELECT later FROM t")
    undo(run_id)
    undo(run_id)
    edit(edited, "chosen", "SELECT last FROM t")
    with db.open_session() as session:
        assert not reviews.freeze(session, iteration_id=iteration_id)
    with db.open_session() as session:
        frozen = {p.id: p for p in reviews.frozen_pairs(session, iteration_id=iteration_id)}
    assert [frozen[i].state for i in (kept, vetoed, flipped, edited, late)] == [
        "pending", "vetoed", "flipped", "kept", "pending",
    ]  # fmt: skip
    assert (frozen[edited].rejected, frozen[edited].chosen) == (
        "SELECT worse FROM t", "SELECT good_1 FROM t",
    )  # fmt: skip
    assert get(edited).chosen == "SELECT last FROM t"  # the row itself is as people left it


def test_a_bulk_action_takes_words_and_orders_without_a_limit(
    run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_queue, "FOUND", 2)
    add_pairs(run_id)
    wanted = PairFilter(run_id, words="select", order="random")
    with db.open_session() as session:
        assert len(pair_queue.page(session, wanted)) == 2
        assert pair_queue.is_cut(session, wanted)
        assert not pair_queue.is_cut(session, PairFilter(run_id, words="good_1 bad_0"))
        assert pair_queue.count(session, wanted, at_most=None) == 9
        _, number = reviews.decide_all(session, wanted=wanted, decision=Decision("keep", "ann"))
    assert number == 9
