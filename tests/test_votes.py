"""Votes as win rates, and the proof that a judged answer needs to stand in a pair."""

import pytest

from codelutra.votes import complaint, find_pair, tallies


def ran(verdict: str, *, flaky: bool = False) -> dict[str, object]:
    return {"verdict": verdict, "detail": "why", "flaky": flaky}


def test_each_pair_of_states_is_counted_whatever_side_it_stood_on() -> None:
    votes = [("0", ["a", "b"]), ("1", ["b", "a"]), ("1", ["a", "b"]), ("tie", ["a", "b"]),
             ("bad", ["b", "a"])]  # fmt: skip
    (tally,) = tallies(votes).values()
    assert (tally.wins, tally.losses, tally.ties, tally.both_bad) == (2, 1, 1, 1)
    rate = tally.rate
    assert rate
    assert rate[0] == pytest.approx(2 / 3)
    assert rate[1] < 0.5 < rate[0] < rate[2]


def test_the_best_of_several_won_against_each_of_them() -> None:
    found = tallies([("2", ["a", "b", "c"])])
    assert (found["a", "c"].losses, found["b", "c"].losses) == (1, 1)
    assert found["a", "b"].rate is None


def test_a_state_is_not_set_against_itself() -> None:
    assert tallies([("0", ["a", "a"])]) == {}


@pytest.mark.parametrize(
    ("chosen", "rejected", "word"),
    [
        (ran("correct"), ran("timeout"), ""),
        (ran("wrong_result"), ran("syntax_error"), "wrong result"),
        (ran("correct"), ran("correct"), "both are correct"),
        (ran("correct", flaky=True), ran("timeout"), "chance"),
        (ran("correct"), ran("harness_error"), "could not be judged"),
        (ran(""), ran(""), "no expected answer"),
        (None, ran("timeout"), "was not run"),
    ],
)
def test_what_was_not_proven_correct_is_never_chosen(chosen, rejected, word) -> None:
    why = complaint(chosen, rejected)
    assert word in why
    assert bool(why) == bool(word)


def test_of_several_samples_the_first_two_that_are_a_pair_are_taken() -> None:
    mine = [ran("wrong_result"), ran("correct")]
    assert find_pair(mine, [ran("correct"), ran("no_code")]) == (1, 1)
    assert find_pair(mine[:1], mine) == "the answer to be chosen is wrong result"
