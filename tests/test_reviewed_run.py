"""What review makes of a run's pairs, from the database to what the trainer is given."""

from pathlib import Path
from typing import Any

import pytest

from codelutra.config import PairingConfig, RefineConfig
from codelutra.errors import StopRequested
from codelutra.pairing import build_pairs
from codelutra.records import PreferencePair, Sample, Verdict, VerdictKind, Veto
from codelutra.reviews import Vetoes, VetoReason
from codelutra.run_folder import RunFolder
from codelutra.run_rows import RunRows
from codelutra.tasks.task import Task
from storage import attempts, db, jobs, queries, reviews
from storage.reviews import Decision
from tests.lab import database

__all__ = ["database"]

TASK = Task(task_id="t", kind="python", prompt="p", gold="result = 1")


@pytest.fixture
def ledger(database: Path) -> RunRows:
    jobs.prepare(database)
    config = RefineConfig.for_model("starter", pause_before_training=True)
    with db.open_session() as session:
        run = jobs.submit(session, config=config.model_dump(mode="json"), name="r", num_train=1,
                          num_heldout=1)  # fmt: skip
    assert run.id
    made = RunRows(run.id, run.workflow_id)
    made.add_samples(1, "train", [Sample("t", n, f"x = {n}") for n in range(5)])
    made.add_pairs(1, [PreferencePair("t", "x = 0", f"x = {n}", 0, n) for n in range(1, 5)])
    return made


def review(ledger: RunRows, place: int, action: str, reason: str = "") -> None:
    with db.open_session() as session:
        where = queries.get_iteration(session, run_id=ledger.run_id, number=1)
        assert where
        assert where.id
        pair = queries.pairs(session, iteration_id=where.id)[place]
        assert pair.id
        decision = Decision(action, "ann", reason)
        reviews.decide(session, pair_id=pair.id, version=pair.version, decision=decision)


def texts(pairs: list[PreferencePair]) -> list[tuple[str, str]]:
    return [(pair.chosen, pair.rejected) for pair in pairs]


def test_training_never_gets_a_vetoed_pair_and_gets_a_flipped_one_turned(ledger: RunRows) -> None:
    review(ledger, 0, "veto", "trivial")
    review(ledger, 1, "flip")
    review(ledger, 2, "skip")
    assert ledger.review_facts(1) is None
    expected = [("x = 2", "x = 0"), ("x = 0", "x = 3"), ("x = 0", "x = 4")]
    assert texts(ledger.training_pairs(1)) == expected
    review(ledger, 3, "veto")  # the training goes on, or is taken up again: the same pairs
    assert texts(ledger.training_pairs(1)) == expected
    facts = ledger.review_facts(1)
    assert facts
    assert (facts.num_pairs, facts.num_removed, facts.num_flipped) == (4, 1, 1)
    assert (facts.num_looked_at, facts.lost_tasks, facts.reasons) == (3, 0, {"trivial": 1})


def test_what_is_vetoed_is_known_to_later_iterations(ledger: RunRows) -> None:
    review(ledger, 0, "veto", "bad_style")
    assert ledger.vetoes() == [Veto("t", "x = 0", "x = 1", "bad_style")]


def test_a_run_waits_for_review_until_it_is_resumed(ledger: RunRows) -> None:
    with pytest.raises(StopRequested, match="wait for review"):
        ledger.wait_for_review(1)
    with pytest.raises(StopRequested):  # the worker died before the pause was recorded
        ledger.wait_for_review(1)
    with db.open_session() as session:
        run = queries.get_run(session, run_id=ledger.run_id)
        assert run
        assert queries.awaited_review(session, run=run) == 1
        assert attempts.bump_attempt(session, run=run)
    ledger.wait_for_review(1)  # goes on
    with db.open_session() as session:
        run = queries.get_run(session, run_id=ledger.run_id)
        assert run
        assert queries.awaited_review(session, run=run) is None


def test_a_folder_waits_once_and_trains_on_the_lines_that_are_left(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, RefineConfig.for_model("starter"))
    folder.add_pairs(1, [PreferencePair("t", "a", f"b{n}", 0, n) for n in range(1, 4)])
    with pytest.raises(StopRequested, match="take out the lines"):
        folder.wait_for_review(1)
    file = tmp_path / "pairs-1.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    folder.wait_for_review(1)
    assert [pair.rejected for pair in folder.training_pairs(1)] == ["b2", "b3"]


def graded(*kinds: VerdictKind) -> list[Sample]:
    return [Sample("t", n, f"x = {n}", Verdict(kind)) for n, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        # Both correct programs with both wrong ones, and what a veto of (x = 0, x = 2) leaves.
        (VetoReason.TRIVIAL, {(0, 3), (1, 2), (1, 3)}),
        (VetoReason.BAD_STYLE, {(1, 2), (1, 3)}),
        (VetoReason.OTHER, {(1, 3)}),
        (VetoReason.WRONG_GOLD, {(1, 3)}),
        ("", {(1, 3)}),
    ],
)
def test_a_vetoed_program_is_not_offered_again(reason: Any, left: set[tuple[int, int]]) -> None:
    good, bad = VerdictKind.CORRECT, VerdictKind.WRONG_RESULT
    samples = graded(good, good, bad, bad)
    everything = build_pairs({"t": TASK}, samples, PairingConfig(), 0)
    assert {(p.chosen_index, p.rejected_index) for p in everything} == {
        (0, 2), (0, 3), (1, 2), (1, 3),
    }  # fmt: skip
    vetoes = Vetoes([Veto("t", "x = 0", " x = 2\n", reason)])
    pairs = build_pairs({"t": TASK}, samples, PairingConfig(), 0, vetoes)
    assert {(p.chosen_index, p.rejected_index) for p in pairs} == left


def test_a_task_whose_gold_is_in_doubt_loses_the_program_in_both_roles() -> None:
    vetoes = Vetoes([Veto("t", "a", "b", VetoReason.WRONG_GOLD)])
    assert not vetoes.allow(PreferencePair("t", "b", "c", 0, 1))
    assert not vetoes.allow(PreferencePair("t", "c", "a", 0, 1))
    assert vetoes.allow(PreferencePair("u", "a", "b", 0, 1))
