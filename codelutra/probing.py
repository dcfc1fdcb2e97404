"""Where models of one base begin to differ: all read the same text, token by token."""

from collections.abc import Sequence
from typing import Any

from codelutra.serving.client import Client

SHOWN = 400  # tokens of the answer


def read_by_all(client: Client, models: Sequence[str], prompt: str, answer: str) -> dict[str, Any]:
    """The answer's tokens, and what each of the models gives them, in nats."""
    before = len(client.prompt_logprobs(models[0], prompt))
    scored = [client.prompt_logprobs(model, prompt + answer)[before:][:SHOWN] for model in models]
    return {
        "tokens": [one.text for one in scored[0]],
        "logprobs": [[round(each.logprob, 4) for each in side] for side in scored],
    }
