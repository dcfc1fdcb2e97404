"""What votes say of model states, and when a judged answer may stand in a preference pair."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from codelutra.evaluation import wilson_interval
from codelutra.records import VerdictKind

TIE, BAD = "tie", "bad"


@dataclass
class Tally:
    """Of two states: how often people found the first better, the other, both, or neither."""

    wins: int = 0
    losses: int = 0
    ties: int = 0
    both_bad: int = 0

    @property
    def rate(self) -> tuple[float, float, float] | None:
        """Share of wins among the votes for one of the two, with its 95 % interval."""
        decided = self.wins + self.losses
        return (self.wins / decided, *wilson_interval(self.wins, decided)) if decided else None


def tallies(votes: Iterable[tuple[str, Sequence[str]]]) -> dict[tuple[str, str], Tally]:
    """By pair of states, in the order of their keys; `votes` are (choice, states by place).

    A state that was found best among several won against each of them.
    """
    found: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for choice, states in votes:
        for one, other in combinations(range(len(states)), 2):
            first, second = sorted((one, other), key=lambda place: states[place])
            if states[first] == states[second]:
                continue
            tally = found[states[first], states[second]]
            if choice == TIE:
                tally.ties += 1
            elif choice == BAD:
                tally.both_bad += 1
            elif choice == str(first):
                tally.wins += 1
            elif choice == str(second):
                tally.losses += 1
    return dict(found)


def complaint(chosen: Mapping[str, Any] | None, rejected: Mapping[str, Any] | None) -> str:
    """Why two answers, by what running them showed, are no preference pair; '' when they are.

    A person's word is not enough: what was not proven correct is never the chosen program.
    """
    for side, result in (("chosen", chosen), ("rejected", rejected)):
        if not result:
            return f"the {side} program was not run"
        if not result["verdict"]:
            return "no expected answer is known, so no program of this task is proven"
        if result["verdict"] == VerdictKind.HARNESS_ERROR:
            return f"the {side} program could not be judged: {result['detail']}"
        if result["flaky"]:
            return f"the verdict of the {side} program is chance"
    assert chosen
    assert rejected
    if chosen["verdict"] != VerdictKind.CORRECT:
        return f"the answer to be chosen is {chosen['verdict'].replace('_', ' ')}"
    if rejected["verdict"] == VerdictKind.CORRECT:
        return "both are correct"
    return ""


def find_pair(
    chosen: Sequence[Mapping[str, Any] | None], rejected: Sequence[Mapping[str, Any] | None]
) -> tuple[int, int] | str:
    """The first two samples of two columns that are a preference pair, or why none are."""
    reasons = []
    for one, left in enumerate(chosen):
        for other, right in enumerate(rejected):
            if not (why := complaint(left, right)):
                return one, other
            reasons.append(why)
    return reasons[0] if reasons else "nothing was answered"
