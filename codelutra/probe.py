"""Proof of who answers: log-probabilities that an adapter gave a fixed text when it was trained.

The trainer writes them beside the weights, with those of the base and of the adapter that it
continued. Whatever loads the adapter later must come nearest to the adapter's own.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import dist, sqrt
from pathlib import Path

from codelutra.errors import AdapterError

FILE = "probe.json"
MAX_TOKENS = 256
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
    """One line for the log. Raises AdapterError when another policy answered."""
    noise = NOISE_NATS * sqrt(len(found))
    others = {"the base model": probe.base, "the adapter before it": probe.parent}
    apart = {name: dist(values, probe.adapter) for name, values in others.items()}
    away = dist(found, probe.adapter)
    for name, values in others.items():
        if apart[name] > 2 * noise and dist(found, values) <= away:
            raise AdapterError(
                f"the adapter was loaded, but {name} answers: on its probe the log-probabilities "
                f"are {away:.2f} nats from the adapter's and {dist(found, values):.2f} from those "
                f"of {name}"
            )
    if apart["the base model"] > 2 * noise and away > max(noise, apart["the base model"] / 2):
        raise AdapterError(
            "the adapter was loaded, but another policy answers: on its probe the log-probabilities"
            f" are {away:.2f} nats from the adapter's, which is {apart['the base model']:.2f} from "
            "the base model"
        )
    if apart["the base model"] <= 2 * noise:
        return f"probe: adapter and base are too much alike to tell apart ({away:.3f} nats)"
    return (
        f"probe: the adapter answers, {away:.3f} nats from what it gave when trained; "
        f"the base is {apart['the base model']:.2f} away"
    )
