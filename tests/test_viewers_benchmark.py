"""What `benchmarks.viewers` makes of the times that it takes."""

import pytest

from benchmarks.viewers import BLOCKS, PHASES, SETTLING, Course, slowdowns_of


def times(pace: float, turn: int, slowdown: float) -> dict[tuple[str, int], float]:
    """Blocks differ in their work; where visitors look they take longer."""
    return {
        (phase, block): pace * (10 + block) * (1 + slowdown * (block % 2 == turn))
        for phase in PHASES
        for block in range(BLOCKS)
    }


def test_neither_the_work_nor_a_slower_hour_counts_as_visitors():
    even, odd = times(1.0, 0, 0.04), times(1.3, 1, 0.04)
    assert slowdowns_of(even, odd) == pytest.approx([0.04] * len(PHASES) * (BLOCKS // 2))
    del odd["train", 3]
    assert len(slowdowns_of(even, odd)) == len(PHASES) * (BLOCKS // 2) - 1


def test_a_block_is_timed_from_when_visitors_have_settled():
    course = Course()
    for at, done in ((100.0, 0.0), (110.0, 1.0), (110.0, 1.0), (130.0, 2.0), (135.0, 2.5)):
        course.add(at, done)
    assert course.seconds(0) == pytest.approx(10 * (1 - SETTLING))
    assert course.seconds(1) == pytest.approx(20 * (1 - SETTLING))
    assert course.seconds(2) is None
