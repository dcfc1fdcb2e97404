"""When almost nothing that is sampled is correct: what else is drawn, and in which order it is
learned. Pure functions on samples."""

from collections.abc import Iterable, Mapping, Sequence

from codelutra.config import SamplingConfig
from codelutra.records import Sample, VerdictKind
from codelutra.tasks.task import Task

TEMPERATURE_STEP = 0.15  # from wave to wave (ours)


def first_yield(samples: Iterable[Sample], config: SamplingConfig) -> float | None:
    """Share of correct ones among the first samples of each task; None when none is graded."""
    graded = [
        sample.verdict.kind is VerdictKind.CORRECT
        for sample in samples
        if sample.index < config.num_samples
        and sample.verdict
        and sample.verdict.kind is not VerdictKind.HARNESS_ERROR
    ]
    return sum(graded) / len(graded) if graded else None


def is_low(samples: Iterable[Sample], config: SamplingConfig) -> bool:
    share = first_yield(samples, config)
    return share is not None and share < config.low_yield


def wave_temperatures(config: SamplingConfig) -> list[float]:
    """One wave of further samples a temperature, rising to the bound; one at least."""
    temperatures, now = [], config.temperature
    while now < config.max_temperature - 1e-9:
        now = min(now + TEMPERATURE_STEP, config.max_temperature)
        temperatures.append(round(now, 4))
    return temperatures or [config.temperature]


def unsolved(tasks: Sequence[Task], samples: Iterable[Sample], *, before: int) -> list[Task]:
    """The tasks without a correct sample of an index below `before`, the easiest first."""
    seen = [sample for sample in samples if sample.index < before]
    solved = {sample.task_id for sample in seen if _is_correct(sample)}
    return [t for t in easiest_first(tasks, seen) if t.task_id not in solved]


def easiest_first(tasks: Sequence[Task], samples: Iterable[Sample]) -> list[Task]:
    """By the share of correct samples, then of those that ran at all, then by a short gold."""
    by_task: dict[str, list[Sample]] = {}
    for sample in samples:
        by_task.setdefault(sample.task_id, []).append(sample)

    def ease(task: Task) -> tuple[float, float, int, str]:
        mine = by_task.get(task.task_id, [])
        return (
            -_share(mine, {VerdictKind.CORRECT}),
            -_share(mine, {VerdictKind.CORRECT, VerdictKind.WRONG_RESULT}),
            len(task.gold),
            task.task_id,
        )

    return sorted(tasks, key=ease)


def _share(samples: Sequence[Sample], kinds: set[VerdictKind]) -> float:
    hits = sum(s.verdict is not None and s.verdict.kind in kinds for s in samples)
    return hits / len(samples) if samples else 0.0


def _is_correct(sample: Sample) -> bool:
    verdict = sample.verdict
    return verdict is not None and verdict.kind is VerdictKind.CORRECT and not verdict.flaky


def order_by_ease(tasks: Mapping[str, Task], samples: Iterable[Sample]) -> dict[str, Task]:
    """`tasks` in the order of `easiest_first`."""
    return {task.task_id: task for task in easiest_first(list(tasks.values()), samples)}
