"""What reviews of pairs mean to the loop: which pairs train, and which never come again."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from codelutra.records import PreferencePair, Veto


class PairState(StrEnum):
    """What review made of a pair."""

    PENDING = "pending"  # nobody decided: it trains
    KEPT = "kept"
    VETOED = "vetoed"  # never trains
    FLIPPED = "flipped"  # trains with its sides exchanged
    SKIPPED = "skipped"  # looked at, left undecided: it trains


class VetoReason(StrEnum):
    WRONG_GOLD = "wrong_gold"
    AMBIGUOUS = "ambiguous"
    UNFAIR_TEST = "unfair_test"
    TRIVIAL = "trivial"
    BAD_STYLE = "bad_style"
    OTHER = "other"


VETO_REASONS = {
    VetoReason.WRONG_GOLD: "wrong gold",
    VetoReason.AMBIGUOUS: "ambiguous task",
    VetoReason.UNFAIR_TEST: "unfair test",
    VetoReason.TRIVIAL: "trivial difference",
    VetoReason.BAD_STYLE: "bad style",
    VetoReason.OTHER: "other",
}
# The task's verdicts are in doubt, so neither program says anything in either role.
OF_THE_TASK = (VetoReason.WRONG_GOLD, VetoReason.AMBIGUOUS, VetoReason.UNFAIR_TEST)


class Vetoes:
    """Which pairs later iterations of a run must not offer again."""

    def __init__(self, vetoes: Iterable[Veto] = ()) -> None:
        self._combinations: set[tuple[str, str, str]] = set()
        self._chosen: set[tuple[str, str]] = set()
        self._rejected: set[tuple[str, str]] = set()
        for veto in vetoes:
            chosen, rejected = veto.chosen.strip(), veto.rejected.strip()
            sides = {(veto.task_id, chosen), (veto.task_id, rejected)}
            self._combinations.add((veto.task_id, chosen, rejected))
            if veto.reason in OF_THE_TASK:
                self._chosen |= sides
                self._rejected |= sides
            elif veto.reason == VetoReason.BAD_STYLE:
                self._chosen.add((veto.task_id, chosen))
            elif veto.reason != VetoReason.TRIVIAL:
                self._chosen.add((veto.task_id, chosen))
                self._rejected.add((veto.task_id, rejected))

    def allow(self, pair: PreferencePair) -> bool:
        task, chosen, rejected = pair.task_id, pair.chosen.strip(), pair.rejected.strip()
        return (
            (task, chosen, rejected) not in self._combinations
            and (task, chosen) not in self._chosen
            and (task, rejected) not in self._rejected
        )


@dataclass(frozen=True)
class ReviewedPair:
    pair: PreferencePair
    state: str  # of PairState
    is_edited: bool = False
    source: str = "sampled"
    reason: str = ""  # of a veto


@dataclass(frozen=True)
class ReviewFacts:
    """What review changed of an iteration's pairs, when its training began."""

    num_pairs: int  # before
    num_removed: int
    num_flipped: int
    num_edited: int  # and kept
    num_added: int  # from elsewhere than the iteration's samples, and kept
    num_looked_at: int  # by a person: all but the pending ones
    lost_tasks: int  # that have pairs, all of them vetoed
    reasons: dict[str, int] = field(default_factory=dict)  # of the vetoes

    @property
    def num_kept(self) -> int:
        return self.num_pairs - self.num_removed

    @property
    def words(self) -> str:
        """One line for the log."""
        return (
            f"review removed {self.num_removed} of {self.num_pairs} pairs, flipped "
            f"{self.num_flipped}, edited {self.num_edited}, added {self.num_added}; "
            f"{self.lost_tasks} tasks lost their last pair"
        )


def heed(reviewed: Iterable[ReviewedPair]) -> tuple[list[PreferencePair], ReviewFacts]:
    """The pairs that train, and what was changed."""
    everything = list(reviewed)
    kept = [one for one in everything if one.state != PairState.VETOED]
    removed = [one for one in everything if one.state == PairState.VETOED]
    tasks = {one.pair.task_id for one in everything}
    facts = ReviewFacts(
        num_pairs=len(everything),
        num_removed=len(removed),
        num_flipped=sum(one.state == PairState.FLIPPED for one in kept),
        num_edited=sum(one.is_edited for one in kept),
        num_added=sum(one.source not in ("sampled", "gold") for one in kept),
        num_looked_at=sum(one.state != PairState.PENDING for one in everything),
        lost_tasks=len(tasks - {one.pair.task_id for one in kept}),
        reasons=dict(Counter(one.reason or VetoReason.OTHER.value for one in removed)),
    )
    return [as_trained(one) for one in kept], facts


def as_trained(one: ReviewedPair) -> PreferencePair:
    """With its sides exchanged where a person flipped it."""
    if one.state != PairState.FLIPPED:
        return one.pair
    pair = one.pair
    return replace(
        pair,
        chosen=pair.rejected,
        rejected=pair.chosen,
        chosen_index=pair.rejected_index,
        rejected_index=pair.chosen_index,
    )
