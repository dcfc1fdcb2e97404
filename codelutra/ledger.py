"""Where a run's finished work is kept, so that a restarted run never does it twice."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from codelutra.config import RefineConfig
from codelutra.records import (
    Adapter,
    Alert,
    PairNotes,
    PreferencePair,
    Sample,
    SampleKey,
    Scores,
    Split,
    TrainingFacts,
    Trust,
    Verdict,
    Veto,
)
from codelutra.reviews import ReviewFacts


class Ledger(Protocol):
    """One run's memory. Every `add_*` is idempotent: what is already there stays as it is.

    `RunFolder` keeps it in files (command line, tests), the worker's `RunRows` in the database.
    """

    config: RefineConfig
    folder: Path  # adapters and logs of this run

    def last_iteration(self) -> int:
        """The last one planned, or an earlier one after which people want the run to end."""
        ...

    def trust(self) -> Trust: ...
    def add_trust(self, trust: Trust) -> None:
        """A run that was once unfenced stays so."""
        ...

    def samples(self, iteration: int, split: Split) -> list[Sample]: ...
    def add_samples(self, iteration: int, split: Split, samples: Sequence[Sample]) -> None: ...
    def add_verdicts(
        self, iteration: int, split: Split, verdicts: Mapping[SampleKey, Verdict]
    ) -> None: ...

    def pairs(self, iteration: int) -> list[PreferencePair] | None:
        """None until pairing is done; an empty list is a finished pairing without pairs."""
        ...

    def add_pairs(
        self, iteration: int, pairs: Sequence[PreferencePair], notes: Sequence[PairNotes] = ()
    ) -> None:
        """`notes` are of the pairs, in their order."""
        ...

    def wait_for_review(self, iteration: int) -> None:
        """Stop the run (StopRequested) the first time; resuming it says that review is done."""
        ...

    def training_pairs(self, iteration: int) -> list[PreferencePair]:
        """What training reads: the pairs as people had left them when this was first asked."""
        ...

    def review_facts(self, iteration: int) -> ReviewFacts | None:
        """What review changed of them; None before the training began."""
        ...

    def vetoes(self) -> list[Veto]:
        """Of all iterations, as they stand now."""
        ...

    def adapter(self, iteration: int) -> Adapter | None: ...
    def add_adapter(self, iteration: int, adapter: Adapter) -> None: ...
    def scores(self, iteration: int, split: Split = "heldout") -> Scores | None: ...
    def add_scores(self, iteration: int, scores: Scores, split: Split = "heldout") -> None: ...

    def training_facts(self, iteration: int) -> TrainingFacts | None: ...
    def add_training_facts(self, iteration: int, facts: TrainingFacts) -> None: ...
    def alerts(self, iteration: int) -> list[Alert]: ...
    def add_alert(self, iteration: int, alert: Alert) -> None:
        """The first of its kind in an iteration stays."""
        ...

    def add_seconds(self, iteration: int, phase: str, seconds: float) -> None:
        """Add wall seconds to a phase (sample, execute, pair, train, evaluate)."""
        ...

    def seconds(self, iteration: int) -> dict[str, float]: ...

    def add_training_metrics(self, iteration: int, step: int, metrics: dict[str, Any]) -> None: ...

    def report(self, iteration: int, phase: str, done: int, total: int) -> None:
        """Progress of the phase under way; may be called often."""
        ...

    def log(self, message: str) -> None: ...

    def stop_requested(self) -> bool:
        """True once somebody paused or cancelled; polled at least every half second."""
        ...
