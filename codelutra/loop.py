"""The refinement loop of CodeLutra (arXiv 2411.05199), readable on one page.

It knows no web, no worker and no database: what is finished lives in a `Ledger`, and `step`
decides how a phase is run and recorded. Every phase first looks at what the ledger already
holds, so any of them may be interrupted and called again.
"""

from collections.abc import Callable, Sequence
from typing import Any

from codelutra import phases
from codelutra.asserts import weak_proof
from codelutra.generation import Engine
from codelutra.grading import Grader
from codelutra.ledger import Ledger
from codelutra.records import Trust
from codelutra.sandbox import Sandbox
from codelutra.starting_again import start_again
from codelutra.tasks.task import Task

Step = Callable[..., Any]


def call(name: str, phase: Callable[..., Any], ledger: Ledger, *args: Any) -> Any:
    """The simplest `step`: run the phase now."""
    return start_again(phase, ledger, *args)


def refine(ledger: Ledger, tasks: Sequence[Task], step: Step = call) -> None:
    """Score the base model, then refine it `iterations` times, or until it gains no more.

    People may have it end earlier, after an iteration that has begun.
    """
    with Sandbox(ledger.config.sandbox) as sandbox, Engine() as engine:
        grader = Grader(sandbox)
        ledger.add_trust(Trust(not sandbox.is_fenced, sum(map(weak_proof, tasks))))
        step("0/evaluate", phases.evaluate, ledger, tasks, 0, grader, engine)
        iteration = 0
        while iteration < ledger.last_iteration():
            iteration += 1
            refine_once(ledger, tasks, iteration, grader, engine, step)
            if phases.should_stop_early(ledger, iteration):
                break


def refine_once(
    ledger: Ledger,
    tasks: Sequence[Task],
    iteration: int,
    grader: Grader,
    engine: Engine,
    step: Step = call,
) -> None:
    """One iteration: sample, execute, pair, let people review, train, evaluate."""
    step(f"{iteration}/sample", phases.sample, ledger, tasks, iteration, grader, engine)
    step(f"{iteration}/execute", phases.execute, ledger, tasks, iteration, grader)
    step(f"{iteration}/sample_more", phases.sample_more, ledger, tasks, iteration, grader, engine)
    step(f"{iteration}/pair", phases.pair, ledger, tasks, iteration)
    step(f"{iteration}/review", phases.review, ledger, iteration, engine)
    step(f"{iteration}/train", phases.train, ledger, tasks, iteration, engine)
    step(f"{iteration}/evaluate", phases.evaluate, ledger, tasks, iteration, grader, engine)
