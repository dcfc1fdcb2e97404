"""Accuracy with its uncertainty. Pure arithmetic on verdicts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import comb, sqrt

from codelutra.records import Sample, Scores, VerdictKind

Z95 = 1.959963984540054


def score(samples: Sequence[Sample]) -> Scores:
    """pass@1 of one greedy sample a task; harness errors are left out of every share."""
    counts = Counter(s.verdict.kind for s in samples if s.verdict)
    graded = counts.total() - counts[VerdictKind.HARNESS_ERROR]
    correct = counts[VerdictKind.CORRECT]
    return Scores(
        pass_at_1=correct / graded if graded else 0.0,
        ci95=wilson_interval(correct, graded),
        num_tasks=graded,
        syntax_error=counts[VerdictKind.SYNTAX_ERROR] / graded if graded else 0.0,
        verdicts={kind.value: counts[kind] for kind in VerdictKind if counts[kind]},
    )


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927); (0, 1) when n is 0."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Unbiased estimate 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, eq. 1)."""
    if not 0 < k <= num_samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, got {num_samples}")
    return 1.0 - comb(num_samples - num_correct, k) / comb(num_samples, k)


def paired_gain(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, float, float]:
    """Gain in accuracy on the same tasks with its 95 % interval, from per-task differences."""
    if len(before) != len(after) or not before:
        raise ValueError("a paired comparison needs the same tasks on both sides, at least one")
    differences = [int(b) - int(a) for a, b in zip(before, after, strict=True)]
    n = len(differences)
    mean = sum(differences) / n
    variance = sum((d - mean) ** 2 for d in differences) / max(1, n - 1)
    half = Z95 * sqrt(variance / n)
    return mean, mean - half, mean + half


def correct_tasks(samples: Sequence[Sample]) -> dict[str, bool]:
    """Which tasks were solved, of one graded sample each; harness errors are left out."""
    return {
        sample.task_id: sample.verdict.kind is VerdictKind.CORRECT
        for sample in samples
        if sample.verdict and sample.verdict.kind is not VerdictKind.HARNESS_ERROR
    }


def gain_on_both(
    before: Mapping[str, bool], after: Mapping[str, bool]
) -> tuple[float, float, float]:
    """`paired_gain` on the tasks that both sides have."""
    both = sorted(before.keys() & after.keys())
    return paired_gain([before[t] for t in both], [after[t] for t in both])


def best_iteration(scores: Mapping[int, Scores]) -> int | None:
    """The iteration with the best validation score, the earliest of equals; None without any.

    0 is the base model: where nothing beats it on validation, nothing is promoted over it.
    """
    return max(scores, key=lambda number: (scores[number].pass_at_1, -number), default=None)


def iterations_without_gain(gains: Sequence[tuple[float, float, float]]) -> int:
    """How many of the newest gains (mean, low, high), in a row, have no interval above zero."""
    count = 0
    for _, low, _ in reversed(gains):
        if low > 0:
            break
        count += 1
    return count
