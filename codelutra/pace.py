"""How long a run will take, from what earlier runs of its model took. Nothing here is guessed.

Pure functions on measured seconds; with nothing measured the answer is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codelutra.config import RefineConfig
from codelutra.fit_terms import TaskFacts

RECENT = 5  # runs that are looked at
PHASES = ("sample", "execute", "pair", "train", "evaluate")
Span = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """What the finished iterations of one run took: wall seconds, and how much they did.

    `amounts` of sample, execute and pair are training programs, of train pairs times epochs, of
    evaluate tasks.
    """

    name: str
    tasks: str
    is_smoke: bool
    seconds: dict[str, float]
    amounts: dict[str, int]
    num_pairs: int = 0
    num_train: int = 0  # tasks, summed over the iterations, as the pairs are


@dataclass(frozen=True)
class Forecast:
    """Seconds of a whole run, and of each phase of one iteration; spans, equal ends for a mean."""

    phases: dict[str, Span]
    total: Span
    basis: str
    is_smoke: bool


def forecast(runs: Sequence[Measured], config: RefineConfig, facts: TaskFacts) -> Forecast | None:
    """From the newest runs on the same tasks, else on any, else from a smoke test, else None."""
    whole = [run for run in runs if not run.is_smoke and _is_complete(run)]
    chosen = [run for run in whole if run.tasks == config.tasks] or whole
    if chosen:
        return _from_runs(chosen[:RECENT], config, facts)
    tests = [run for run in runs if run.is_smoke and _is_complete(run)]
    return _from_smoke(tests[0], config, facts) if tests else None


def words(found: Forecast | None) -> str:
    """The whole run's time and where it comes from."""
    if found is None:
        return "unknown until the smoke test or the first iteration"
    low, high = found.total
    if round(low) == round(high):
        return f"about {duration(low)} ({found.basis})"
    return f"between {duration(low)} and {duration(high)} ({found.basis})"


def duration(seconds: float) -> str:
    """Rounded to what a person plans with: 8 s, 2 min 05 s, 34 min, 3 h 20 min."""
    if 0 < seconds < 1:
        return "under 1 s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def of_row(
    run_id: int,
    config: Mapping[str, Any],
    seconds: dict[str, float],
    num_sampled: int,
    num_scored: int,
    num_pairs: int,
    num_train: int,
) -> Measured:
    """Of a run in the database, as `storage.pace.measured_runs` reads it."""
    is_smoke = bool(config.get("smoke"))
    amounts = dict.fromkeys(("sample", "execute", "pair"), num_sampled)
    amounts |= {
        "train": num_pairs * config.get("training", {}).get("epochs", 1),
        "evaluate": num_scored,
    }
    name = f"the smoke test, run {run_id}" if is_smoke else f"run {run_id}"
    return Measured(name, config.get("tasks", ""), is_smoke, seconds, amounts, num_pairs, num_train)


def _is_complete(run: Measured) -> bool:
    """Every phase was measured: a smoke test without a pair says nothing of training."""
    return all(run.seconds.get(phase) and run.amounts.get(phase) for phase in PHASES)


def _from_runs(runs: list[Measured], config: RefineConfig, facts: TaskFacts) -> Forecast:
    """In proportion to the amounts: what starting a phase takes is in the mean, too."""
    pairs = sum(run.num_pairs for run in runs) / sum(run.num_train for run in runs)
    wanted = _amounts(config, facts, pairs * facts.num_train)
    phases: dict[str, Span] = {}
    for phase in PHASES:
        rate = sum(r.seconds[phase] for r in runs) / sum(r.amounts[phase] for r in runs)
        phases[phase] = (rate * wanted[phase], rate * wanted[phase])
    names = ", ".join(run.name for run in runs)
    return Forecast(phases, _total(phases, config), f"as measured in {names}", False)


def _from_smoke(test: Measured, config: RefineConfig, facts: TaskFacts) -> Forecast:
    """Between each batch taking as long as the test's, and each program, pair and task."""
    num = config.sampling.num_samples
    most = _amounts(config, facts, facts.num_train * config.pairing.max_pairs)
    scored = facts.num_validation + facts.num_heldout
    batches = {
        "sample": -(-facts.num_train // max(1, config.sampling.batch_size // num)),
        "evaluate": -(-scored // config.evaluation.batch_size),
    }
    phases: dict[str, Span] = {}
    for phase in PHASES:
        # It scored two policies, so that a single evaluation took half of that time.
        parts = 2 if phase == "evaluate" else 1
        seconds = test.seconds[phase] / parts
        low = seconds * batches.get(phase, 1)
        high = test.seconds[phase] / test.amounts[phase] * most[phase]
        phases[phase] = (min(low, high), max(low, high))
    basis = f"extrapolated from {test.name}: wide, as it ran batches of two"
    return Forecast(phases, _total(phases, config), basis, True)


def _amounts(config: RefineConfig, facts: TaskFacts, pairs: float) -> dict[str, float]:
    """Of one iteration."""
    drawn = facts.num_train * config.sampling.num_samples
    return {
        "sample": drawn,
        "execute": drawn,
        "pair": drawn,
        "train": pairs * config.training.epochs,
        "evaluate": facts.num_validation + facts.num_heldout,
    }


def _total(phases: dict[str, Span], config: RefineConfig) -> Span:
    """The base is evaluated, too."""
    low, high = (
        config.iterations * sum(span[end] for span in phases.values()) + phases["evaluate"][end]
        for end in (0, 1)
    )
    return low, high
