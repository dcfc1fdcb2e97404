"""The smoke test: a run's own settings on one task, through every phase, before the hours."""

from collections.abc import Mapping

from codelutra.config import RefineConfig
from codelutra.pace import PHASES

NO_PAIR = "no pair: every program was correct, training was not tried"
CHANGES = {
    "smoke": True,
    "iterations": 1,
    "max_train": 1,  # the hardest, see tasks/selection.py
    "max_heldout": 1,
    "validation_share": 0.0,
    "stop": "fixed",
}


def smoke_of(config: RefineConfig) -> RefineConfig:
    """One iteration on one training and one held-out task, two programs, one pass; the rest as is.

    Two wrong programs still make a pair, with the gold, so that training is nearly always tried;
    no waves of further programs follow a low yield.
    """
    return config.model_copy(
        update={
            **CHANGES,
            "sampling": config.sampling.model_copy(update={"num_samples": 2, "extra_samples": 0}),
            "pairing": config.pairing.model_copy(update={"gold_if_unsolved": True}),
            "training": config.training.model_copy(update={"epochs": 1}),
        }
    )


def phase_lines(seconds: Mapping[str, float], was_trained: bool) -> list[str]:
    """A line a phase: how long it took, or why it was not tried."""
    lines = [f"{phase}: {seconds[phase]:.1f} s" for phase in PHASES if phase in seconds]
    if not was_trained:
        lines.insert(min(3, len(lines)), f"train: {NO_PAIR}")
    return lines
