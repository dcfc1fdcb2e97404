"""The dual loss of CodeLutra (arXiv 2411.05199, eq. 6) in TRL's terms, and its two parts.

L = L_DPO(chosen, rejected; reference) + sft_weight * NLL(chosen). TRL's `sft` term is the mean
over the batch's chosen tokens, not Iterative RPO's per-sequence mean.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from codelutra.config import TrainingConfig


def loss_terms(config: TrainingConfig) -> tuple[list[str], list[float]]:
    """TRL's loss names and weights for a mode."""
    return {
        "dual": (["sigmoid", "sft"], [1.0, config.sft_weight]),
        "dpo": (["sigmoid"], [1.0]),
        "sft": (["sft"], [1.0]),
    }[config.mode]


@dataclass(frozen=True)
class LogProbs:
    """What both terms are made of; each (pairs,): sums over the tokens of a completion."""

    chosen: torch.Tensor
    rejected: torch.Tensor
    reference_chosen: torch.Tensor
    reference_rejected: torch.Tensor


def dpo_term(logps: LogProbs, beta: float) -> torch.Tensor:
    """-log sigmoid(beta * (log-ratio of the chosen - log-ratio of the rejected)), mean of pairs."""
    chosen = logps.chosen - logps.reference_chosen
    rejected = logps.rejected - logps.reference_rejected
    return -F.logsigmoid(beta * (chosen - rejected)).mean()


def sft_term(logps: LogProbs, chosen_tokens: int) -> torch.Tensor:
    """Negative log-likelihood of the chosen completions, mean of their tokens."""
    return -logps.chosen.sum() / chosen_tokens
