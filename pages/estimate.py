"""How long the phase under way and the whole run still take, from what was measured so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from pages.format import PHASES
from storage.models import Progress
from storage.trend import TrendPoint

QUICK_S = {"execute": 5.0, "pair": 1.0}  # never what a run waits for; assumed until measured


@dataclass(frozen=True)
class TimeLeft:
    """Seconds; None where nothing was measured yet."""

    phase: float | None
    run: float | None


def phase_rate(progress: Progress) -> float | None:
    """How much a second, in this phase and attempt; None before anything is done."""
    advanced = progress.done - progress.started_done
    elapsed = (progress.updated_at - progress.started_at).total_seconds()
    return advanced / elapsed if advanced > 0 and elapsed > 0 else None


def phase_left(progress: Progress) -> float | None:
    """From the rate of this phase in this attempt."""
    rate = phase_rate(progress)
    if rate is None or progress.total <= 0:
        return None
    return (progress.total - progress.done) / rate


def time_left(progress: Progress | None, trend: Sequence[TrendPoint], iterations: int) -> TimeLeft:
    """The phase's own rest, and every later phase at the mean of its finished rounds."""
    if progress is None:
        return TimeLeft(None, None)
    left = phase_left(progress)
    known = _mean_seconds(progress, trend)
    if left is not None and progress.phase not in known:
        # A first round: what it took so far and still needs is the best guess for the next.
        elapsed = (progress.updated_at - progress.started_at).total_seconds()
        known[progress.phase] = elapsed + left
    rest = left if left is not None else _rest_of_known(progress, known)
    ahead = _phases_ahead(progress, iterations)
    if rest is None or any(phase not in known for phase in ahead):
        return TimeLeft(left, None)
    return TimeLeft(left, rest + sum(known[phase] for phase in ahead))


def _mean_seconds(progress: Progress, trend: Sequence[TrendPoint]) -> dict[str, float]:
    measured: dict[str, list[float]] = {}
    for point in trend:
        for phase, seconds in point.seconds.items():
            if (point.iteration, phase) != (progress.iteration, progress.phase):
                measured.setdefault(phase, []).append(seconds)
    return QUICK_S | {phase: sum(times) / len(times) for phase, times in measured.items()}


def _rest_of_known(progress: Progress, known: dict[str, float]) -> float | None:
    seconds = known.get(progress.phase)
    if seconds is None:
        return None
    return max(0.0, seconds - (progress.updated_at - progress.started_at).total_seconds())


def _phases_ahead(progress: Progress, iterations: int) -> list[str]:
    here = PHASES.index(progress.phase) if progress.phase in PHASES else len(PHASES) - 1
    rounds_ahead = max(0, iterations - progress.iteration)
    return [*PHASES[here + 1 :], *(PHASES * rounds_ahead)]
