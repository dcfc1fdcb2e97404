"""Signs that an iteration goes wrong, each with what was seen and what to try.

The bounds are ours, between what healthy and collapsing runs of the starter show
(docs/training.md).
"""

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from codelutra.config import TrainingConfig
from codelutra.evaluation import correct_tasks, gain_on_both
from codelutra.records import Alert, PreferencePair, Sample, VerdictKind

EARLY = 2  # iterations in which some correct program is to be expected
FEW_PAIRS = 50
FEW_TASKS = 0.1  # of the training tasks
SAME_TEXT = 0.2  # of the pairs
WINDOW = 20  # steps
FALLING_NATS = 2.0  # the chosen e^2 = 7 times less likely than under the reference
RUNAWAY_MARGIN = 20.0  # the DPO term has had no gradient left since about 10


def of_pairs(
    iteration: int, num_tasks: int, samples: Sequence[Sample], pairs: Sequence[PreferencePair]
) -> Iterator[Alert]:
    """Of the programs that `num_tasks` training tasks gave, and of the pairs made of them."""
    graded = [s.verdict.kind for s in samples if s.verdict]
    if iteration <= EARLY and graded and VerdictKind.CORRECT not in graded:
        yield Alert(
            "no_correct",
            f"none of the {len(graded):,} programs sampled is correct",
            "easier tasks, a stronger base model, more samples a task, or look at the programs: a "
            "prompt that the model misreads fails them all",
        )
    paired = len({pair.task_id for pair in pairs})
    if len(pairs) < FEW_PAIRS or paired < FEW_TASKS * num_tasks:
        yield Alert(
            "few_pairs",
            f"only {len(pairs):,} pairs, from {paired:,} of {num_tasks:,} tasks",
            "more samples a task or a higher temperature: a task gives pairs when some of its "
            "programs are correct and some are not",
        )
    same = sum(_squeezed(pair.chosen) == _squeezed(pair.rejected) for pair in pairs)
    if same > SAME_TEXT * len(pairs):
        yield Alert(
            "same_text",
            f"in {same:,} of {len(pairs):,} pairs chosen and rejected differ in blanks alone",
            "look at these tasks: a verdict that hangs on blanks teaches blanks",
        )


def _squeezed(program: str) -> str:
    return "".join(program.split())


class TrainingWatch:
    """Looks at each step's metrics as they come; each kind of alert is raised once."""

    def __init__(self, config: TrainingConfig, known: Collection[str] = ()) -> None:
        self.config = config
        self._raised = set(known)
        self._log_ratios: deque[float] = deque(maxlen=WINDOW)
        self._margins: deque[float] = deque(maxlen=WINDOW)

    def see(self, step: int, metrics: Mapping[str, Any]) -> list[Alert]:
        self._log_ratios.append(metrics.get("rewards/chosen", 0.0) / self.config.beta)
        self._margins.append(metrics.get("rewards/margins", 0.0))
        new = [alert for alert in self._signs(step, metrics) if alert.kind not in self._raised]
        self._raised |= {alert.kind for alert in new}
        return new

    def _signs(self, step: int, metrics: Mapping[str, Any]) -> Iterator[Alert]:
        loss = metrics.get("loss", 0.0)
        if not math.isfinite(loss):
            yield Alert(
                "diverged",
                f"the loss is {loss}",
                "a smaller learning rate; this adapter is not worth keeping",
                step,
            )
            return
        if len(self._margins) < WINDOW:
            return
        log_ratio, margin = (sum(w) / WINDOW for w in (self._log_ratios, self._margins))
        if log_ratio < -FALLING_NATS:
            yield Alert(
                "chosen_falling",
                f"the correct programs have become e^{-log_ratio:.1f} times less likely than "
                f"under the reference (mean of {WINDOW} steps)",
                self._advice(),
                step,
            )
        if margin > RUNAWAY_MARGIN:
            yield Alert(
                "margin_runaway",
                f"the reward margin is {margin:.1f} (mean of {WINDOW} steps), where the DPO term "
                "learns nothing more and the policy drifts",
                "a smaller learning rate, fewer epochs or a larger beta",
                step,
            )

    def _advice(self) -> str:
        if self.config.mode == "dpo":
            return "mode dual, whose likelihood term holds them up, or a smaller learning rate"
        return "a smaller learning rate or a larger sft_weight"


def of_scores(before: Sequence[Sample], after: Sequence[Sample]) -> Iterator[Alert]:
    """Of two policies' greedy programs on the same held-out tasks."""
    was, now = correct_tasks(before), correct_tasks(after)
    if not was.keys() & now.keys():
        return
    gain, low, high = gain_on_both(was, now)
    if high < 0:
        yield Alert(
            "accuracy_lower",
            f"held-out accuracy changed by {100 * gain:+.1f} points against the policy before "
            f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f})",
            "keep the iteration before, and look at the training curves: a smaller learning rate "
            "or fewer epochs",
        )
