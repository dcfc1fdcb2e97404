"""Where two models of one base begin to differ: both read the same text, token by token."""

from collections.abc import Sequence
from typing import Any

from codelutra.probe import NOISE_NATS
from codelutra.serving.client import Client

SHOWN = 400  # tokens of the answer


def first_difference(
    client: Client, models: Sequence[str], prompt: str, answer: str
) -> dict[str, Any]:
    """The answer's tokens with what both models give them, in nats, and the first place where
    these are further apart than arithmetic makes them (None: nowhere)."""
    before = len(client.prompt_logprobs(models[0], prompt))
    scored = [client.prompt_logprobs(model, prompt + answer) for model in models]
    left, right = (each[before:][:SHOWN] for each in scored)
    apart = [one.logprob - other.logprob for one, other in zip(left, right, strict=True)]
    first = next((place for place, gap in enumerate(apart) if abs(gap) > NOISE_NATS), None)
    return {
        "tokens": [one.text for one in left],
        "logprobs": [[round(each.logprob, 4) for each in side] for side in (left, right)],
        "first": first,
        "total": round(sum(map(abs, apart)), 3),
    }
