"""How long a run takes: only from what was measured."""

from codelutra.config import RefineConfig
from codelutra.fit_terms import TaskFacts
from codelutra.pace import Measured, forecast, of_row, words

FACTS = TaskFacts(num_train=100, num_validation=20, num_heldout=80, longest_prompt=1,
                  median_prompt=1, median_gold=1)  # fmt: skip
CONFIG = RefineConfig(iterations=2)


def run(name: str = "run 1", tasks: str = "starter", scale: float = 1.0, **more: bool) -> Measured:
    """50 tasks of ten programs and 100 pairs, and 60 scored tasks."""
    seconds = {"sample": 50.0, "execute": 5.0, "pair": 1.0, "train": 40.0, "evaluate": 6.0}
    return Measured(
        name,
        tasks,
        more.get("is_smoke", False),
        {phase: scale * taken for phase, taken in seconds.items()},
        {"sample": 500, "execute": 500, "pair": 500, "train": 100, "evaluate": 60},
        num_pairs=100,
        num_train=50,
        step_seconds=2.0,
    )


def test_nothing_measured_is_nothing_told() -> None:
    assert forecast([], CONFIG, FACTS) is None
    assert words(None) == "unknown until the smoke test or a first iteration has run"


def test_time_is_in_proportion_to_what_earlier_runs_did() -> None:
    found = forecast([run()], CONFIG, FACTS)
    assert found is not None
    # 1,000 programs, 200 pairs, 100 scored tasks; and the base is scored once.
    assert found.phases["sample"] == (100, 100)
    assert found.phases["train"] == (80, 80)
    assert found.total == (2 * (100 + 10 + 2 + 80 + 10) + 10,) * 2
    assert words(found) == "about 6 min 54 s (as measured in run 1)"


def test_runs_on_the_same_tasks_count_before_others() -> None:
    other = run("run 2", tasks="spider", scale=100)
    found = forecast([other, run()], CONFIG, FACTS)
    assert found is not None
    assert found.basis == "as measured in run 1"


def test_a_smoke_test_gives_a_span_and_only_when_no_run_was_measured() -> None:
    test = of_row(
        7,
        {"smoke": True, "tasks": "starter", "training": {"epochs": 1}},
        {"sample": 2.0, "execute": 0.1, "pair": 0.1, "train": 5.0, "evaluate": 1.0},
        num_sampled=10,
        num_scored=1,
        num_pairs=4,
        num_train=1,
        run_tokens=300,
        rates=[100.0],
    )
    assert test.step_seconds == 3.0
    found = forecast([test], CONFIG, FACTS)
    assert found is not None
    assert found.phases["sample"] == (10, 200)  # 5 batches of 200; or 1,000 programs of 0.2 s
    assert found.phases["train"] == (5, 2 + 3 * 100 * 2)  # the start; and a step a task and pass
    assert found.phases["evaluate"] == (1, 100)
    assert words(found).startswith("between ")
    assert "extrapolated from the smoke test, run 7" in words(found)
    both = forecast([test, run()], CONFIG, FACTS)
    assert both is not None
    assert not both.is_smoke


def test_a_smoke_test_without_a_pair_says_nothing_of_training() -> None:
    test = of_row(7, {"smoke": True}, {"sample": 2.0}, 10, 1, 0, 1, 0, [])
    assert forecast([test], CONFIG, FACTS) is None
