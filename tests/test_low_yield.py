"""What a low yield is, and what is done about it."""

from typing import Any

import pytest

from codelutra.config import SamplingConfig
from codelutra.low_yield import easiest_first, first_yield, is_low, unsolved, wave_temperatures
from codelutra.records import Sample, Verdict, VerdictKind
from codelutra.tasks import Task

RIGHT, WRONG, BROKEN = (
    VerdictKind.CORRECT,
    VerdictKind.WRONG_RESULT,
    VerdictKind.SYNTAX_ERROR,
)


def sample(task: str, index: int, kind: VerdictKind, **label: Any) -> Sample:
    return Sample(task, index, "x", Verdict(kind, **label))


def task(task_id: str, gold: str = "SELECT 1") -> Task:
    return Task(task_id=task_id, kind="python", prompt="p", gold=gold)  # type: ignore[call-arg]


def test_only_the_first_samples_and_no_harness_errors_count() -> None:
    config = SamplingConfig(num_samples=2)
    drawn = [sample("a", 0, RIGHT), sample("a", 1, WRONG), sample("a", 2, RIGHT)]
    assert first_yield(drawn, config) == 0.5
    assert first_yield([*drawn, sample("b", 0, VerdictKind.HARNESS_ERROR)], config) == 0.5
    assert first_yield([Sample("a", 0, "x")], config) is None
    assert not is_low([], config)


def test_low_is_below_the_bound() -> None:
    config = SamplingConfig(num_samples=100)
    drawn = [sample("a", n, RIGHT if n < 5 else WRONG) for n in range(100)]
    assert not is_low(drawn, config)
    assert is_low([*drawn[1:], sample("a", 0, WRONG)], config)
    assert not is_low(drawn, SamplingConfig(num_samples=100, low_yield=0))


@pytest.mark.parametrize(
    ("settings", "temperatures"),
    [
        ({}, [1.15, 1.3]),
        ({"temperature": 0.7}, [0.85, 1.0, 1.15, 1.3]),
        ({"max_temperature": 1.1}, [1.1]),
        ({"temperature": 1.5}, [1.5]),  # above the bound: never lowered, never raised
    ],
)
def test_temperatures_rise_to_their_bound(settings: Any, temperatures: list[float]) -> None:
    assert wave_temperatures(SamplingConfig(**settings)) == temperatures


def test_the_easiest_are_those_with_most_correct_then_most_that_ran_then_short_golds() -> None:
    tasks = [task("long", "x" * 50), task("short", "x" * 9), task("runs"), task("solved")]
    drawn = [sample(t, n, BROKEN) for t in ("long", "short") for n in range(2)]
    drawn += [sample("runs", 0, WRONG), sample("runs", 1, BROKEN)]
    drawn += [sample("solved", 0, RIGHT), sample("solved", 1, BROKEN)]
    order = [t.task_id for t in easiest_first(tasks, drawn)]
    assert order == ["solved", "runs", "short", "long"]


def test_a_task_is_solved_by_a_steady_correct_sample_of_the_waves_before() -> None:
    tasks = [task("a"), task("b"), task("c")]
    drawn = [sample("a", 0, RIGHT), sample("b", 0, RIGHT, flaky=True), sample("c", 2, RIGHT)]
    assert [t.task_id for t in unsolved(tasks, drawn, before=2)] == ["b", "c"]
    assert [t.task_id for t in unsolved(tasks, drawn, before=3)] == ["b"]
