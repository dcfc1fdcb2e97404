"""Real systems' SQL: our verdicts are those of the official evaluators' definitions."""

import pytest

from benchmarks import published
from codelutra.tasks.stored import ImportOptions, preview_set
from tests.tasks.published import DATA, real_data

pytestmark = [pytest.mark.slow, real_data]


def test_no_verdict_differs_from_the_official_one() -> None:
    rows, differences = published.compare_all(DATA)
    assert differences == []
    assert [judged for _, judged, _, _ in rows] == [543, 543, 543, 129, 52, 52]
    assert all(0.4 * judged < ours < judged for _, judged, ours, _ in rows)


def test_the_comparison_can_tell_them_apart() -> None:
    """Compared our way, row by row, some of the same programs fall."""
    prepared = preview_set(DATA / "bird" / "dev.json", ImportOptions(match="exact"))
    tasks = {task.task_id: task for task in prepared.tasks}
    ((system, predictions),) = published.bird_systems(DATA, mini=False)
    _, ours, theirs, differ = published.compare(system, tasks, predictions, published.official_bird)
    assert ours < theirs
    assert differ
