"""Whether running a model on trees of tokens gives what running it on sequences does."""

from typing import Any

import torch

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.15}  # of a token's log-probability, mean


def why_inexact(model: Any, has_router_loss: bool, longest: int) -> str:
    """What in `model` (a transformers model) rules trees out, '' for nothing known.

    `longest` is the number of tokens of the longest sequence.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    if window is not None and window < longest:
        return f"its sliding window of {window} tokens is shorter than a sequence of {longest}"
    attention = getattr(config, "_attn_implementation", None)
    if attention != "sdpa":
        return f"its attention is {attention!r}, which takes no mask of ours"
    if has_router_loss:
        return "its router loss is of all tokens of a batch, shared ones counted each time"
    return ""


def why_different(plain: torch.Tensor, shared: torch.Tensor, dtype: torch.dtype) -> str:
    """What a trial says of it: log-probabilities of the same tokens, computed both ways."""
    difference = (plain - shared).abs().mean().item()
    if difference <= TOLERANCE.get(dtype, TOLERANCE[torch.float32]):
        return ""
    return f"a trial on shared prefixes was {difference:.3g} nats a token away from the plain one"
