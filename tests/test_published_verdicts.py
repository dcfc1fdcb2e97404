"""Real systems' SQL: our verdicts are those of the official evaluators' definitions."""

import pytest

from benchmarks import published
from codelutra.config import SandboxConfig
from codelutra.sandbox import Sandbox
from tests.tasks.published import DATA, real_data

pytestmark = [pytest.mark.slow, real_data]


def test_no_verdict_differs_from_the_official_one() -> None:
    with Sandbox(SandboxConfig()) as sandbox:
        compared = list(published.sql_systems(DATA, sandbox))
    assert [each.n for each in compared] == [543, 543, 543, 52, 52, 129]
    assert [each.differences for each in compared] == [[]] * 6
    assert all(0.4 * each.n < each.ours < each.n for each in compared)


def test_the_comparison_can_tell_them_apart() -> None:
    """Compared our way, row by row, some of the same programs fall."""
    tasks = published.tasks_of(DATA / "bird" / "dev.json", "exact")
    golds = {
        task_id: f"SELECT DISTINCT * FROM ({task.gold.rstrip(';')})"
        for task_id, task in tasks.items()
    }
    with Sandbox(SandboxConfig()) as sandbox:
        each = published.compare_sql("golds", tasks, golds, published.bird_says, sandbox)
    assert each.differences
    assert each.ours < each.theirs
