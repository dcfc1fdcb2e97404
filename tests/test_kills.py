"""Everything that takes part in a run is killed once, with `kill -9`, in a real starter run.

The shortened form of benchmarks/kills.py: the run ends as an undisturbed one, row by row.
"""

import os
import random
from functools import cache
from pathlib import Path

import pytest

from benchmarks.kill_lab import KillLab, Rows, rows_of, submit
from benchmarks.kills import SMALL, watch
from benchmarks.private_postgres import private_postgres, programs
from storage.run_status import RunStatus

# Who is killed, in the order in which they come into a run, and how long after they were seen.
PLAN = [("sampling", 0.3), ("web", 0.5), ("sandbox", 0.1), ("worker", 0.5), ("training", 0.5)]
CONFIG = SMALL.model_copy(update={"iterations": 1})


@cache
def undisturbed(folder: Path) -> Rows:
    lab = KillLab(folder / "home")
    try:
        story = watch(lab, submit(CONFIG))
        assert story.status is RunStatus.COMPLETED, story.end
        return rows_of(story.run_id)
    finally:
        lab.close()


def assert_killed_alike(lab: KillLab, plan: list[tuple[str, float]], wanted: Rows) -> None:
    try:
        story = watch(lab, submit(CONFIG), plan, random.Random(0))
        assert story.status is RunStatus.COMPLETED, story.end
        assert story.kills == len(plan)
        assert rows_of(story.run_id) == wanted
    finally:
        lab.close()


@pytest.mark.slow
def test_whoever_is_killed_the_run_ends_as_undisturbed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = undisturbed(tmp_path_factory.getbasetemp() / "undisturbed")
    assert_killed_alike(KillLab(tmp_path / "lab"), PLAN, wanted)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.skipif(
    "CODELUTRA_FULL" not in os.environ, reason="a minute: with a quick loop in test_takeover.py"
)
def test_a_killed_postgres_changes_nothing_in_a_real_run(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not programs():
        pytest.skip("PostgreSQL is not installed")
    wanted = undisturbed(tmp_path_factory.getbasetemp() / "undisturbed")
    with private_postgres() as server:
        assert_killed_alike(KillLab(tmp_path / "lab", server), [("postgres", 8.0)], wanted)
