"""Runs worth starting: what each changes of its model's defaults, what one learns, what it costs.

The paper's experiments (arXiv 2411.05199) take 10 programs a task and one pass over the pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codelutra.config import STARTER, RefineConfig
from codelutra.config_text import nested

PAPER = {"sampling.num_samples": 10, "training.epochs": 1}


@dataclass(frozen=True)
class Preset:
    """`changes` are by path; `grid` is that of an ablation, of which each variant is a run.

    Tasks and model are whatever the person has chosen, unless the preset has its own.
    """

    name: str
    learns: str
    costs: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    tasks: str = ""
    model: str = ""

    def config(self, tasks: str, model: str) -> RefineConfig:
        """On these tasks and this model, before the grid."""
        return RefineConfig.for_model(model, tasks=tasks, **nested(self.changes))


PRESETS: dict[str, Preset] = {
    "starter": Preset(
        "Starter",
        "Whether the built-in model unlearns its habitual mistakes in four iterations.",
        "No GPU, no account, no network; four rounds of sampling and training on this machine.",
        tasks=STARTER,
        model=STARTER,
    ),
    "baseline": Preset(
        "Baseline",
        "How many held-out tasks the base model solves, before anything is trained.",
        "The cheapest run: one program a validation and held-out task, no training.",
        {"iterations": 0},
    ),
    "one": Preset(
        "One iteration",
        "What one round on the model's own mistakes gains.",
        "10 programs a training task and one pass over their pairs; two evaluations.",
        {"iterations": 1, **PAPER},
    ),
    "four": Preset(
        "Four iterations",
        "Whether the gain goes on, as in the paper, or ends after a round or two.",
        "Four times one iteration; five evaluations.",
        {"iterations": 4, **PAPER},
    ),
    "cross": Preset(
        "Cross-task",
        "Whether what is learned on SQL alone carries over to the set's other kinds of task.",
        "One iteration on the SQL part; every held-out task is scored. Trends, What changed, tells "
        "them apart by language.",
        {"iterations": 1, "train_kind": "sql", **PAPER},
    ),
    "low": Preset(
        "Low first accuracy",
        "Whether a model that solves little gets going: what stays unsolved is drawn again, at a "
        "rising temperature, and learned from the easiest on. Choose a weak model or a hard set.",
        "One iteration, with up to 20 more programs for each unsolved training task.",
        {
            "iterations": 1,
            "sampling.low_yield": 1.0,
            "sampling.extra_samples": 10,
            "pairing.gold_if_unsolved": True,
            **PAPER,
        },
    ),
    "ablation": Preset(
        "Without the likelihood term",
        "What the likelihood of the correct programs adds to the DPO term: two runs that differ in "
        "its weight alone.",
        "Twice one iteration: the second run, with weight 0, is queued behind the first.",
        {"iterations": 1, "training.mode": "dual", "training.sft_weight": 1.0, **PAPER},
        {"training.sft_weight": (1.0, 0.0)},
    ),
}
