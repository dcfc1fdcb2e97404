"""Correct and incorrect programs of one task become preference pairs."""

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from codelutra.config import PairingConfig
from codelutra.records import PreferencePair, Sample, VerdictKind
from codelutra.reviews import Vetoes
from codelutra.tasks.task import Task

NO_VETO = Vetoes()


def build_pairs(
    tasks: Mapping[str, Task],
    samples: Iterable[Sample],
    config: PairingConfig,
    seed: int,
    vetoes: Vetoes = NO_VETO,
) -> list[PreferencePair]:
    """At most `max_pairs` distinct (chosen, rejected) a task, drawn at random without return.

    Samples of other tasks are left alone, and so is what a person has vetoed.
    """
    by_task: dict[str, list[Sample]] = {task_id: [] for task_id in tasks}
    for sample in samples:
        if sample.task_id in by_task:
            by_task[sample.task_id].append(sample)
    pairs: list[PreferencePair] = []
    for task_id, task in tasks.items():
        rng = random.Random(f"{seed}/{task_id}")
        possible = _possible_pairs(task, by_task[task_id], config, rng)
        pairs += list(filter(vetoes.allow, possible))[: config.max_pairs]
    return pairs


def _possible_pairs(
    task: Task, samples: Sequence[Sample], config: PairingConfig, rng: random.Random
) -> list[PreferencePair]:
    correct = _distinct(s for s in samples if _kind(s) is VerdictKind.CORRECT)
    wrong = _distinct(s for s in samples if _is_incorrect(s))
    chosen: list[tuple[str, int | None]] = [(s.completion, s.index) for s in correct]
    if not chosen and config.gold_if_unsolved:
        chosen = [(task.gold_completion, None)]
    combinations = list(product(chosen, wrong))
    rng.shuffle(combinations)
    return [
        PreferencePair(task.task_id, text, rejected.completion, index, rejected.index)
        for (text, index), rejected in combinations
    ]


def _kind(sample: Sample) -> VerdictKind | None:
    """None where the label must not teach anything: there is none, or it flipped."""
    verdict = sample.verdict
    return None if verdict is None or verdict.flaky else verdict.kind


def _is_incorrect(sample: Sample) -> bool:
    # A harness error says nothing about the program.
    return _kind(sample) not in (None, VerdictKind.CORRECT, VerdictKind.HARNESS_ERROR)


def _distinct(samples: Iterable[Sample]) -> list[Sample]:
    """The first sample of each text: duplicates would weight habits, not mistakes."""
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.completion.strip(), sample)
    return list(first.values())
