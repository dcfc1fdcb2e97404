"""What a run needs and what a smoke test took, as the command line prints it."""

import sys
from dataclasses import asdict
from typing import Any

from codelutra import fit, pace
from codelutra.config import RefineConfig
from codelutra.fit import Estimate, Need, gib
from codelutra.fit_terms import TaskFacts, facts_of
from codelutra.machine import look
from codelutra.model_shape import read_shape
from codelutra.run_folder import RunFolder
from codelutra.tasks import Task, load_tasks, select_tasks

STATES = {
    "yes": "fits",
    "tight": "fits, long programs could exhaust it",
    "busy": "not beside what is loaded now",
    "no": "DOES NOT FIT",
}


def estimate_of(config: RefineConfig) -> Estimate:
    """Of the tasks and the machine as they are now; raises CodeLutraError."""
    tasks = select_tasks(load_tasks(config.tasks), config)
    return fit.estimate(read_shape(config.model), facts_of(tasks), config, look())


def print_estimate(found: Estimate, time: str) -> None:
    shape, facts, rank = found.shape, found.facts, found.config.training.lora_rank
    lora = shape.lora_parameters(rank)
    print()
    print(
        f"model  {shape.model}: {shape.parameters:,} parameters ({shape.source}), "
        f"a LoRA of rank {rank} has {lora:,}"
    )
    print(
        f"tasks  {found.config.tasks}: {facts.num_train:,} training, {facts.num_validation:,} "
        f"validation and {facts.num_heldout:,} held-out; {found.num_samples:,} programs in "
        f"{found.config.iterations} iterations"
    )
    print()
    print(f"{'':<22}{'':<24}{'needs':<22}{'free of all':<24}")
    for need in found.needs:
        print(
            f"{need.phase:<22}{need.place:<24}{span(need):<22}"
            f"{f'{gib(need.free)} of {gib(need.total)}':<24}{STATES[need.state]}"
        )
    print()
    print(f"time   {time}")
    for warning in found.warnings:
        print(f"  !    {warning}")


def span(need: Need) -> str:
    low, high = gib(need.least), gib(need.most)
    if low == high:
        return low
    return f"{low.removesuffix(' GiB') if high.endswith(' GiB') else low} to {high}"


def as_json(found: Estimate, time: str) -> dict[str, Any]:
    return {
        "model": found.shape.model,
        "parameters": found.shape.parameters,
        "facts": asdict(found.facts),
        "needs": [
            asdict(need) | {"least": need.least, "most": need.most, "state": need.state}
            for need in found.needs
        ],
        "time": time,
        "warnings": found.warnings,
    }


def time_of(config: RefineConfig, facts: TaskFacts) -> str:
    from codelutra.measured import earlier_runs

    return pace.words(pace.forecast(earlier_runs(config.model), config, facts))


def warn(config: RefineConfig, tasks: list[Task]) -> None:
    """Before a run: a line for all that speaks against it; raises when it cannot be."""
    for line in fit.check(config, tasks):
        print(f"warning: {line}", file=sys.stderr)


def print_smoke(ledger: RunFolder, config: RefineConfig) -> None:
    """A line a phase, and how long the run of `config` would take by them."""
    from codelutra.measured import measured_of
    from codelutra.smoke import phase_lines

    test = measured_of(ledger, "this smoke test")
    for line in phase_lines(test.seconds, was_trained=ledger.adapter(1) is not None):
        print(f"  {line}")
    facts = facts_of(select_tasks(load_tasks(config.tasks), config))
    untried = "" if ledger.adapter(1) else " but training, which had no pair,"
    print(f"smoke test passed: every phase of the loop{untried} runs here")
    print(f"the run itself: {pace.words(pace.forecast([test], config, facts))}")
