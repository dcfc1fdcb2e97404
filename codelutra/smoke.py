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
    """One iteration on one training and one held-out task, one pass; the rest as it is.

    It draws as many programs as the run, so that its training step is as large as the run's and
    needs the same memory. Wrong ones alone still make pairs, with the gold, so that training is
    nearly always tried; no waves of further programs follow a low yield.
    """
    num = max(2, config.sampling.num_samples)
    return config.model_copy(
        update={
            **CHANGES,
            "sampling": config.sampling.model_copy(update={"num_samples": num, "extra_samples": 0}),
            "pairing": config.pairing.model_copy(update={"gold_if_unsolved": True}),
            "training": config.training.model_copy(update={"epochs": 1}),
        }
    )


def phase_lines(seconds: Mapping[str, float], was_trained: bool) -> list[str]:
    """A line a phase: how long it took, or why it was not tried."""
    known = {phase: f"{phase}: {taken:.1f} s" for phase, taken in seconds.items()}
    if not was_trained:
        known["train"] = f"train: {NO_PAIR}"
    return [known[phase] for phase in PHASES if phase in known]
