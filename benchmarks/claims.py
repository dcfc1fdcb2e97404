"""What every benchmark prints last: its claims and the machine, as one JSON object."""

import json
import math
import os
import platform
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

RESAMPLINGS = 10_000


@dataclass(frozen=True)
class Claim:
    """A measured value against a floor (at least) or a ceiling (at most), or both."""

    name: str
    value: float
    floor: float | None = None
    ceiling: float | None = None

    @property
    def holds(self) -> bool:
        above = self.floor is None or self.value >= self.floor
        return above and (self.ceiling is None or self.value <= self.ceiling)

    def as_row(self) -> dict[str, object]:
        bounds = {"floor": self.floor, "ceiling": self.ceiling}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"name": self.name, "value": self.value, **given, "holds": self.holds}


def finish(claims: list[Claim], **extra: object) -> int:
    """Print the claims for people, then the JSON line; 1 when one does not hold."""
    print()
    for claim in claims:
        bounds = [f">= {claim.floor:g}"] if claim.floor is not None else []
        bounds += [f"<= {claim.ceiling:g}"] if claim.ceiling is not None else []
        verdict = "holds" if claim.holds else "DOES NOT HOLD"
        print(f"{claim.name:<26} {claim.value:>9.4g}   {' and '.join(bounds):<18} {verdict}")
    machine = {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "python": platform.python_version(),
    }
    print(json.dumps({"claims": [c.as_row() for c in claims], "machine": machine, **extra}))
    return 0 if all(claim.holds for claim in claims) else 1


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of their mean, 95 %, by the bootstrap."""
    rng = random.Random(0)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(RESAMPLINGS))
    return means[math.floor(0.025 * RESAMPLINGS)], means[math.ceil(0.975 * RESAMPLINGS) - 1]
