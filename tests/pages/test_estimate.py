"""The time left comes from measured rates, and is unknown where nothing was measured."""

from datetime import UTC, datetime, timedelta

import pytest

from pages.estimate import phase_left, time_left
from storage.models import Progress
from storage.trend import TrendPoint

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def progress(iteration: int, phase: str, done: int, total: int, started_done: int = 0) -> Progress:
    return Progress(
        run_id=1,
        iteration=iteration,
        phase=phase,
        done=done,
        total=total,
        started_done=started_done,
        started_at=NOW,
        updated_at=NOW + timedelta(seconds=10),
    )


def point(iteration: int, **seconds: float) -> TrendPoint:
    return TrendPoint(iteration, 0.5, 0.4, 0.6, 100, 0.1, {}, seconds=seconds)


def test_a_phase_goes_on_at_its_own_rate():
    assert phase_left(progress(1, "sample", 20, 100)) == pytest.approx(40)


def test_what_was_done_before_an_interruption_does_not_count_into_the_rate():
    assert phase_left(progress(1, "sample", 60, 100, started_done=50)) == pytest.approx(40)


def test_nothing_done_yet_is_unknown():
    left = time_left(progress(1, "sample", 0, 100), [point(0, evaluate=20)], 2)
    assert (left.phase, left.run) == (None, None)


def test_the_whole_run_is_unknown_before_the_first_training():
    left = time_left(progress(1, "sample", 20, 100), [point(0, evaluate=20)], 2)
    assert left.phase == pytest.approx(40)
    assert left.run is None


def test_the_whole_run_sums_the_phases_to_come():
    rounds = [
        point(0, evaluate=20),
        point(1, sample=50, execute=2, pair=1, train=100, evaluate=20),
    ]
    left = time_left(progress(2, "train", 50, 100), rounds, 3)
    assert left.phase == pytest.approx(10)
    assert left.run == pytest.approx(10 + 20 + (50 + 2 + 1 + 100 + 20))


def test_the_last_phase_of_the_last_iteration_is_all_that_is_left():
    left = time_left(progress(1, "evaluate", 50, 100), [point(0, evaluate=20)], 1)
    assert left.run == left.phase == pytest.approx(10)
