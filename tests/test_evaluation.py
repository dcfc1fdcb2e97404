import pytest

from codelutra.evaluation import (
    best_iteration,
    gain_interval,
    gain_on_both,
    iterations_without_gain,
    mean_pass_at_k,
    paired_gain,
    pass_at_k,
    score,
    wilson_interval,
)
from codelutra.records import Sample, Scores, Verdict, VerdictKind


def graded(*kinds: VerdictKind) -> list[Sample]:
    return [Sample(f"t{i}", 0, "", Verdict(kind)) for i, kind in enumerate(kinds)]


def test_a_harness_error_is_in_no_accuracy() -> None:
    scores = score(graded(VerdictKind.CORRECT, VerdictKind.SYNTAX_ERROR, VerdictKind.HARNESS_ERROR))
    assert (scores.pass_at_1, scores.syntax_error, scores.num_tasks) == (0.5, 0.5, 2)
    assert scores.verdicts == {"correct": 1, "syntax_error": 1, "harness_error": 1}


def test_a_flaky_sample_counts_with_its_second_verdict() -> None:
    flaky = Sample("f", 0, "", Verdict(VerdictKind.CORRECT, flaky=True))
    scores = score([*graded(VerdictKind.TIMEOUT), flaky])
    assert (scores.pass_at_1, scores.num_tasks) == (0.5, 2)


def test_nothing_graded_scores_zero_with_a_full_interval() -> None:
    scores = score([])
    assert (scores.pass_at_1, scores.ci95, scores.num_tasks) == (0.0, (0.0, 1.0), 0)


def test_wilson_interval_of_the_textbook() -> None:
    # 8 of 10: Brown, Cai and DasGupta (2001) give (0.490, 0.943).
    assert wilson_interval(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)


def test_pass_at_k_is_the_chance_that_k_draws_hold_a_correct_one() -> None:
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)
    assert pass_at_k(4, 1, 2) == pytest.approx(0.5)
    assert pass_at_k(10, 0, 10) == 0.0
    assert pass_at_k(10, 9, 2) == 1.0
    with pytest.raises(ValueError, match="pass@5 needs at least 5 samples"):
        pass_at_k(4, 1, 5)


def test_paired_gain_looks_at_the_same_tasks() -> None:
    before = [False] * 50 + [True] * 50
    after = [True] * 30 + [False] * 20 + [True] * 45 + [False] * 5
    gain, low, high = paired_gain(before, after)
    assert gain == pytest.approx(0.25)
    assert 0 < low < gain < high
    with pytest.raises(ValueError, match="same tasks"):
        paired_gain([True], [])


def scores(pass_at_1: float) -> Scores:
    return Scores(pass_at_1, (0.0, 1.0), 80, 0.0)


def test_the_earliest_of_the_best_is_promoted_and_the_base_may_be_it() -> None:
    accuracies = {0: 0.4, 1: 0.6, 2: 0.7, 3: 0.7}
    assert best_iteration({n: scores(a) for n, a in accuracies.items()}) == 2
    assert best_iteration({0: scores(0.4), 1: scores(0.4), 2: scores(0.3)}) == 0
    assert best_iteration({}) is None


def test_gains_are_counted_from_the_newest_back() -> None:
    real, chance, loss = (0.1, 0.02, 0.18), (0.03, -0.01, 0.07), (-0.1, -0.15, -0.05)
    assert iterations_without_gain([real]) == 0
    assert iterations_without_gain([chance, real]) == 0
    assert iterations_without_gain([real, chance]) == 1
    assert iterations_without_gain([real, chance, loss]) == 2
    assert iterations_without_gain([]) == 0


def test_a_gain_is_of_the_tasks_that_both_sides_have() -> None:
    before = {"a": False, "b": False, "only before": True}
    after = {"a": True, "b": True, "only after": False}
    assert gain_on_both(before, after)[0] == 1.0


def test_pass_at_k_on_examples_worked_by_hand() -> None:
    # 1 - C(7, 5) / C(10, 5) = 1 - 21/252; 1 - C(8, 5) / C(10, 5) = 1 - 56/252
    assert pass_at_k(10, 3, 5) == pytest.approx(231 / 252)
    assert pass_at_k(10, 2, 5) == pytest.approx(196 / 252)
    assert pass_at_k(5, 2, 3) == pytest.approx(9 / 10)  # all but the one draw without the two
    mean, low, high = mean_pass_at_k({(10, 3): 1, (10, 0): 2, (3, 3): 9}, 5) or (0, 0, 0)
    assert mean == pytest.approx(231 / 252 / 3)  # tasks of three samples cannot tell
    assert 0 <= low < mean < high <= 1
    assert mean_pass_at_k({(3, 3): 9}, 5) is None
    assert mean_pass_at_k({(4, 4): 50}, 2) == (1.0, *wilson_interval(50, 50))


def test_the_interval_of_a_gain_agrees_with_the_mc_nemar_test() -> None:
    for fixed, broken, n in ((30, 15, 200), (14, 5, 100), (12, 6, 60), (0, 9, 50)):
        low, high = gain_interval(fixed, broken, n)
        differs = (fixed - broken) ** 2 / (fixed + broken) > 1.959963984540054**2
        assert (low > 0 or high < 0) is differs
        mirrored = gain_interval(broken, fixed, n)
        assert (low, high) == pytest.approx((-mirrored[1], -mirrored[0]))


def test_the_interval_of_a_gain_is_that_of_the_textbook() -> None:
    # Airway hyper-responsiveness, 1 and 7 of 21 changed: Fagerland et al. (2014) print these.
    assert gain_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=1e-3)


def test_no_change_at_all_is_no_certainty() -> None:
    low, high = gain_interval(0, 0, 50)
    assert low == pytest.approx(-0.0713, abs=1e-3)
    assert high == pytest.approx(0.0713, abs=1e-3)
    assert gain_interval(20, 0, 20)[0] < 0.9
    assert gain_interval(20, 0, 20)[1] == 1.0
