"""A real worker on a loop of its own: no model, no sandbox, the same ledger calls and shape.

    python tests/fake_worker.py HOME [PARENT_PID]

The run's config decides: `max_train` tasks of `num_samples` samples, `iterations`; with seed 13
training fails, with 14 the disk is full, with 15 it waits for a child in a group of its own.
Every batch takes SECONDS_A_BATCH.
"""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

from codelutra.errors import StopRequested, TrainingError
from codelutra.ledger import Ledger
from codelutra.loop import Step
from codelutra.records import (
    Adapter,
    PreferencePair,
    Sample,
    Scores,
    Split,
    Verdict,
    VerdictKind,
)
from codelutra.worker import main

SECONDS_A_BATCH = float(os.environ.get("FAKE_BATCH_S", "0.05"))


def refine(ledger: Ledger, step: Step) -> None:
    step("0/evaluate", evaluate, ledger, 0)
    iteration = 0
    while iteration < ledger.last_iteration():
        iteration += 1
        step(f"{iteration}/sample", sample, ledger, iteration)
        step(f"{iteration}/execute", execute, ledger, iteration)
        step(f"{iteration}/pair", pair, ledger, iteration)
        step(f"{iteration}/train", train, ledger, iteration)
        step(f"{iteration}/evaluate", evaluate, ledger, iteration)


def sample(ledger: Ledger, iteration: int, split: Split = "train") -> None:
    phase = "sample" if split == "train" else "evaluate"
    held = {s.task_id for s in ledger.samples(iteration, split)}
    tasks = [f"{split}-{number}" for number in range(ledger.config.max_train)]
    for position, task_id in enumerate(tasks):
        if task_id not in held:
            work(ledger)
            many = ledger.config.sampling.num_samples if split == "train" else 1
            drawn = [Sample(task_id, index, f"program {index}") for index in range(many)]
            ledger.add_samples(iteration, split, drawn)
        ledger.report(iteration, phase, position + 1, len(tasks))


def execute(ledger: Ledger, iteration: int, split: Split = "train") -> None:
    for drawn in ledger.samples(iteration, split):
        if drawn.verdict is None:
            kind = VerdictKind.SYNTAX_ERROR if drawn.index % 2 else VerdictKind.CORRECT
            ledger.add_verdicts(iteration, split, {drawn.key: Verdict(kind)})
    work(ledger)


def pair(ledger: Ledger, iteration: int) -> None:
    if ledger.pairs(iteration) is None:
        work(ledger)
        drawn = ledger.samples(iteration, "train")
        pairs = [
            PreferencePair(s.task_id, "gold", s.completion, None, s.index)
            for s in drawn
            if s.index % 2
        ]
        ledger.add_pairs(iteration, pairs)


def train(ledger: Ledger, iteration: int) -> None:
    if ledger.adapter(iteration):
        return
    if ledger.config.seed == 13:
        raise TrainingError("the loss is not a number\nsecond line")
    if ledger.config.seed == 14:
        raise OSError(errno.ENOSPC, "No space left on device")
    if ledger.config.seed == 15:
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        ledger.log(f"child {child.pid}")
        raise TrainingError(f"the child died with {child.wait()}")
    for number in range(5):
        work(ledger)
        ledger.report(iteration, "train", number + 1, 5)
        ledger.add_training_metrics(iteration, number, {"loss": 1.0 / (number + 1)})
    path = str(ledger.folder / f"adapter-{iteration}")
    ledger.add_adapter(iteration, Adapter(path, f"sha-{iteration}", "base", "main", "previous"))


def evaluate(ledger: Ledger, iteration: int) -> None:
    if ledger.scores(iteration):
        return
    sample(ledger, iteration, "heldout")
    execute(ledger, iteration, "heldout")
    number = len(ledger.samples(iteration, "heldout"))
    ledger.add_scores(iteration, Scores(1.0, (0.9, 1.0), number, 0.0, {"correct": number}))
    ledger.log(f"iteration {iteration} evaluated")


def work(ledger: Ledger) -> None:
    if ledger.stop_requested():
        raise StopRequested("stopped on request")
    started = time.monotonic()
    time.sleep(SECONDS_A_BATCH)
    ledger.add_seconds(0, "sample", time.monotonic() - started)


if __name__ == "__main__":
    parent = int(sys.argv[2]) if len(sys.argv) > 2 else None
    sys.exit(main(Path(sys.argv[1]), parent, refine))
