"""Accuracy with its uncertainty. Pure arithmetic on verdicts."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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


def wilson_interval(successes: float, n: float) -> tuple[float, float]:
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


def mean_pass_at_k(
    counts: Mapping[tuple[int, int], int], k: int
) -> tuple[float, float, float] | None:
    """Mean over tasks with its 95 % interval; `counts` has tasks by (num_samples, num_correct).

    Tasks with fewer than k samples are left out; None when that is all of them. Tasks, not
    samples, are what was drawn: the interval is Wilson's for as many tasks of one sample each as
    would vary alike (Korn and Graubard 1998).
    """
    found = [(pass_at_k(n, c, k), tasks) for (n, c), tasks in counts.items() if n >= k]
    total = sum(tasks for _, tasks in found)
    if not total:
        return None
    mean = sum(value * tasks for value, tasks in found) / total
    variance = sum(tasks * (value - mean) ** 2 for value, tasks in found) / max(1, total - 1)
    alike = total * mean * (1 - mean) / variance if variance > 0 else total
    low, high = wilson_interval(mean * alike, alike)
    return mean, low, high


def paired_gain(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, float, float]:
    """Gain in accuracy on the same tasks with its 95 % interval (see `gain_interval`)."""
    if len(before) != len(after) or not before:
        raise ValueError("a paired comparison needs the same tasks on both sides, at least one")
    pairs = list(zip(before, after, strict=True))
    fixed, broken = pairs.count((False, True)), pairs.count((True, False))
    return (fixed - broken) / len(pairs), *gain_interval(fixed, broken, len(pairs))


def gain_interval(fixed: int, broken: int, n: int) -> tuple[float, float]:
    """95 % score interval of (fixed - broken) / n (Tango 1998): what Wilson's is for one share.

    It holds the gains that the score test does not refuse, so zero is outside exactly when
    McNemar's test finds a difference. An interval from the standard error alone is too narrow where
    few tasks changed, and has no width at all where none did or all did.
    """
    gain = (fixed - broken) / n

    def is_kept(delta: float) -> bool:
        return abs(fixed - broken - n * delta) <= Z95 * sqrt(_variance(fixed, broken, n, delta))

    return _edge(is_kept, gain, -1.0), _edge(is_kept, gain, 1.0)


def _variance(fixed: int, broken: int, n: int, delta: float) -> float:
    """Of `fixed - broken` if the gain is `delta` and the rest is as likely as it can be."""
    a, b, c = (
        2 * n,
        (2 * n - fixed + broken) * delta - fixed - broken,
        -broken * delta * (1 - delta),
    )
    share = (sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)  # of tasks that break
    return max(0.0, n * (2 * share + delta * (1 - delta)))


def _edge(is_kept: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where between the two a value is no longer kept; `outside` when all are."""
    if is_kept(outside):
        return outside
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_kept(middle) else (inside, middle)
    return inside


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
