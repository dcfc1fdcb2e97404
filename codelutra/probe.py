"""Proof of who answers: log-probabilities that an adapter gave a fixed text when it was trained.

The trainer writes them beside the weights, with those of the base and of the adapter that it
continued. Whatever loads the adapter later must come nearest to the adapter's own.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import dist, sqrt
from pathlib import Path

from codelutra.errors import GenerationError

FILE = "probe.json"
MAX_TOKENS = 64
NOISE_NATS = 0.02  # a token, that another precision or another kernel may make (bfloat16)


@dataclass(frozen=True)
class Probe:
    """Each list holds the log-probability of every token but the first, in nats."""

    token_ids: list[int]
    base: list[float]
    parent: list[float]
    adapter: list[float]


def write_probe(folder: Path, probe: Probe) -> None:
    (folder / FILE).write_text(json.dumps(asdict(probe)), encoding="utf-8")


def read_probe(folder: str) -> Probe | None:
    """None for an adapter that was not trained here."""
    path = Path(folder) / FILE
    return Probe(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def check_answer(probe: Probe, found: Sequence[float]) -> str:
    """One line for the log. Raises GenerationError when another policy answered."""
    noise = NOISE_NATS * sqrt(len(found))
    apart = dist(probe.base, probe.adapter)
    away = dist(found, probe.adapter)
    others = {"the base model": probe.base, "the adapter before it": probe.parent}
    told_apart = [name for name in others if dist(others[name], probe.adapter) > 2 * noise]
    nearer = [name for name in told_apart if dist(found, others[name]) <= away]
    if nearer or away > max(2 * noise, apart / 2):
        same = [name for name in nearer if dist(found, others[name]) <= noise]
        raise GenerationError(
            f"the adapter was loaded, but {same[0] if same else 'another policy'} answers: on the "
            f"adapter's probe the log-probabilities are {away:.2f} nats from what it gave when it "
            f"was trained, and the base model is {apart:.2f} away"
        )
    if not told_apart:
        return f"probe: adapter and base are too much alike to tell apart ({apart:.3f} nats)"
    return (
        f"probe: the adapter answers, {away:.3f} nats from what it gave when trained; "
        f"the base is {apart:.2f} away"
    )
