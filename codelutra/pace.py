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
    """What the finished iterations of one run took: wall seconds, and how much they did. Of a
    smoke test only its iteration counts: what came before waited for libraries to be read.

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
    step_seconds: float = 0.0  # of a smoke test's optimiser steps alone


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


def words(
    found: Forecast | None, until: str = "the smoke test or a first iteration has run"
) -> str:
    """The whole run's time and where it comes from."""
    if found is None:
        return f"unknown until {until}"
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


def seconds_of_steps(run_tokens: int, rates: Sequence[Any]) -> float:
    """Of one pass over the pairs: its tokens at the rate that its steps logged."""
    known = [float(rate) for rate in rates if rate]
    return run_tokens * len(known) / sum(known) if known else 0.0


def of_row(
    run_id: int,
    config: Mapping[str, Any],
    seconds: dict[str, float],
    num_sampled: int,
    num_scored: int,
    num_pairs: int,
    num_train: int,
    run_tokens: int,
    rates: Sequence[Any],
) -> Measured:
    """Of a run in the database, as `storage.pace.measured_runs` reads it."""
    is_smoke = bool(config.get("smoke"))
    amounts = dict.fromkeys(("sample", "execute", "pair"), num_sampled)
    amounts |= {
        "train": num_pairs * config.get("training", {}).get("epochs", 1),
        "evaluate": num_scored,
    }
    name = f"the smoke test, run {run_id}" if is_smoke else f"run {run_id}"
    return Measured(
        name=name,
        tasks=config.get("tasks", ""),
        is_smoke=is_smoke,
        seconds=seconds,
        amounts=amounts,
        num_pairs=num_pairs,
        num_train=num_train,
        step_seconds=seconds_of_steps(run_tokens, rates),
    )


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
    """Between each batch taking as long as the test's, and each program and task.

    Training: between its start alone, and a step as large as the test's for each task and pass,
    and once more for the reference.
    """
    num = config.sampling.num_samples
    scored = facts.num_validation + facts.num_heldout
    drawn = facts.num_train * num
    batches = {
        "sample": -(-facts.num_train // max(1, config.sampling.batch_size // num)),
        "evaluate": -(-scored // config.evaluation.batch_size),
    }
    wanted = {"sample": drawn, "execute": drawn, "pair": drawn, "evaluate": scored}
    phases: dict[str, Span] = {}
    for phase, amount in wanted.items():
        low = test.seconds[phase] * batches.get(phase, 1)
        high = test.seconds[phase] / test.amounts[phase] * amount
        phases[phase] = (min(low, high), max(low, high))
    start = max(0.0, test.seconds["train"] - test.step_seconds)
    steps = facts.num_train * (config.training.epochs + 1)
    phases["train"] = (test.seconds["train"], start + test.step_seconds * steps)
    basis = f"extrapolated from {test.name}, whose batches are small: the span is wide"
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
