"""Each alert comes with its sign, says what was seen, and not without it."""

from typing import Any

import pytest

from codelutra import alerts
from codelutra.config import TrainingConfig
from codelutra.records import PreferencePair, Sample, Verdict, VerdictKind

CORRECT, WRONG = Verdict(VerdictKind.CORRECT), Verdict(VerdictKind.WRONG_RESULT)


def samples(num_tasks: int, num_correct: int) -> list[Sample]:
    """Ten a task, of the first `num_correct` tasks one is correct."""
    return [
        Sample(str(task), index, "x", CORRECT if task < num_correct and index == 0 else WRONG)
        for task in range(num_tasks)
        for index in range(10)
    ]


def pairs(num_tasks: int, each: int = 10, rejected: str = "b") -> list[PreferencePair]:
    return [
        PreferencePair(str(task), "a b", rejected, 0, index)
        for task in range(num_tasks)
        for index in range(each)
    ]


def kinds(found: Any) -> list[str]:
    return [alert.kind for alert in found]


def test_a_healthy_iteration_raises_none() -> None:
    assert kinds(alerts.of_pairs(1, 100, samples(100, 50), pairs(50))) == []
    watch = alerts.TrainingWatch(TrainingConfig())
    for step in range(200):
        healthy = {"loss": 0.5, "rewards/chosen": 0.1, "rewards/margins": step / 20}
        assert watch.see(step, healthy) == []


def test_no_correct_sample_is_an_alert_of_early_iterations() -> None:
    (alert,) = alerts.of_pairs(1, 100, samples(100, 0), pairs(100))
    assert (alert.kind, alert.seen) == (
        "no_correct",
        "none of the 1,000 programs sampled is correct",
    )
    assert kinds(alerts.of_pairs(3, 100, samples(100, 0), pairs(100))) == []


@pytest.mark.parametrize(("num_tasks", "paired"), [(100, 4), (1000, 60)])
def test_too_few_pairs(num_tasks: int, paired: int) -> None:
    (alert,) = alerts.of_pairs(1, num_tasks, samples(num_tasks, 50), pairs(paired))
    assert alert.kind == "few_pairs"
    assert f"only {10 * paired} pairs, from {paired} of {num_tasks:,} tasks" in alert.seen


def test_pairs_that_differ_in_blanks_alone() -> None:
    (alert,) = alerts.of_pairs(1, 100, samples(100, 50), [*pairs(40), *pairs(20, 10, "a\n  b")])
    assert alert.kind == "same_text"
    assert "in 200 of 600 pairs" in alert.seen


def watched(metrics: dict[str, float], steps: int, **config: Any) -> list[Any]:
    watch = alerts.TrainingWatch(TrainingConfig(**config))
    return [alert for step in range(steps) for alert in watch.see(step, metrics)]


def test_a_falling_chosen_log_probability_counts_in_nats_whatever_beta() -> None:
    for beta in (0.1, 0.5):
        falling = {"loss": 0.1, "rewards/chosen": -3 * beta, "rewards/margins": 3}
        (alert,) = watched(falling, 50, beta=beta)
        assert (alert.kind, alert.step) == ("chosen_falling", 19)  # once, when the window is full
        assert "e^3.0 times less likely" in alert.seen
        assert watched({**falling, "rewards/chosen": -1.5 * beta}, 50, beta=beta) == []


def test_the_advice_depends_on_what_was_done() -> None:
    falling = {"loss": 0.1, "rewards/chosen": -6, "rewards/margins": 3}
    (dpo,) = watched(falling, 20, mode="dpo")
    (dual,) = watched(falling, 20)
    assert "mode dual" in dpo.advice
    assert "sft_weight" in dual.advice


def test_a_margin_that_runs_away_and_a_loss_that_is_no_number() -> None:
    assert kinds(watched({"loss": 0.1, "rewards/margins": 25}, 20)) == ["margin_runaway"]
    assert kinds(watched({"loss": float("nan")}, 3)) == ["diverged"]


def test_what_a_resumed_training_has_raised_is_not_raised_again() -> None:
    watch = alerts.TrainingWatch(TrainingConfig(), ["diverged"])
    assert watch.see(1, {"loss": float("inf")}) == []


def graded(correct: int, of: int) -> list[Sample]:
    return [Sample(str(n), 0, "", CORRECT if n < correct else WRONG) for n in range(of)]


def test_a_real_loss_of_accuracy_is_an_alert_and_chance_is_none() -> None:
    (alert,) = alerts.of_scores(graded(60, 100), graded(40, 100))
    assert alert.kind == "accuracy_lower"
    assert "-20.0 points" in alert.seen
    assert kinds(alerts.of_scores(graded(60, 100), graded(59, 100))) == []
    assert kinds(alerts.of_scores(graded(40, 100), graded(60, 100))) == []
    assert kinds(alerts.of_scores([], graded(60, 100))) == []
