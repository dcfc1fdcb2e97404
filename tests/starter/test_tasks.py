"""The starter tasks: how many, always the same, sound golds, and splits that share nothing."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codelutra.starter import TASKS_FILE, starter_tasks
from codelutra.starter.build_tasks import describe, draw_tasks
from codelutra.starter.families import databases, sciences
from codelutra.starter.sketch import AGGREGATES, COMPARISONS, TEMPLATES

# Tasks and weights belong together: who changes one makes and measures the other anew.
TASKS_SHA256 = "5c695aff7c09137c3851d3ef15840f0434f2ef18514c8236cec81cad1eed616e"
FIELDS = {"task_id", "kind", "split", "prompt", "gold", "family", "tags"} | {
    "database",
    "setup",
    "answer",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def tasks(home: Path) -> list[dict[str, Any]]:
    return starter_tasks(home)


def split_worlds(split: str) -> Iterator[Any]:
    yield from (world for world, _ in (*databases(split), *sciences(split)))


def names_of(split: str) -> set[str]:
    """Every database, table, input and column name of a split."""
    found: set[str] = set()
    for world in split_worlds(split):
        found |= {world.name, world.vector, world.grid} - {""}
        found |= {name for t in world.tables for name in (t.name, *t.columns)}
    return found


def test_each_split_holds_two_hundred_tasks_of_each_kind(tasks: list[dict[str, Any]]) -> None:
    counts = Counter((t["split"], t["kind"]) for t in tasks)
    assert counts == {(s, k): 200 for s in ("train", "heldout") for k in ("sql", "python")}


def test_a_task_has_exactly_the_agreed_fields(tasks: list[dict[str, Any]]) -> None:
    assert all(set(t) == FIELDS for t in tasks)
    assert len({t["task_id"] for t in tasks}) == len({t["prompt"] for t in tasks}) == len(tasks)
    for t in tasks:
        assert bool(t["database"]) == (t["kind"] == "sql")
        assert bool(t["setup"]) == bool(t["answer"]) == (t["kind"] == "python")


def test_two_homes_get_the_same_tasks(
    tasks: list[dict[str, Any]], home: Path, tmp_path: Path
) -> None:
    again = starter_tasks(tmp_path)
    moved = [t | {"database": t["database"].replace(str(tmp_path), str(home))} for t in again]
    assert moved == tasks


def test_tasks_are_the_ones_the_weights_were_measured_on(tasks: list[dict[str, Any]]) -> None:
    kept = [{k: v for k, v in t.items() if k != "database"} for t in tasks]
    assert hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest() == TASKS_SHA256


def test_the_builder_draws_the_committed_tasks() -> None:
    written = [json.loads(line) for line in TASKS_FILE.read_text(encoding="utf-8").splitlines()]
    assert draw_tasks() == written


def test_a_database_is_not_written_twice(tasks: list[dict[str, Any]], home: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (home / "starter").iterdir()}
    starter_tasks(home)
    assert {p: p.stat().st_mtime_ns for p in (home / "starter").iterdir()} == before
    assert all(p.suffix == ".sqlite" for p in before), "no draft is left behind"


def test_every_sql_gold_gives_rows(tasks: list[dict[str, Any]]) -> None:
    for task in (t for t in tasks if t["kind"] == "sql"):
        connection = sqlite3.connect(f"file:{task['database']}?mode=ro", uri=True)
        rows = connection.execute(task["gold"]).fetchall()
        connection.close()
        assert rows not in ([], [(None,)], [(0,)]), task["task_id"]


def test_every_python_gold_gives_a_result(tasks: list[dict[str, Any]]) -> None:
    for task in (t for t in tasks if t["kind"] == "python"):
        names: dict[str, Any] = {}
        exec(task["setup"] + task["gold"], names)
        assert describe(names[task["answer"]]), task["task_id"]


def test_splits_share_no_name(tasks: list[dict[str, Any]]) -> None:
    shared = names_of("train") & names_of("heldout")
    assert shared == set()


def test_splits_share_no_prompt_and_no_database(tasks: list[dict[str, Any]]) -> None:
    for field in ("prompt", "family", "database", "setup"):
        train, heldout = (
            {t[field] for t in tasks if t["split"] == s} for s in ("train", "heldout")
        )
        assert not (train & heldout) - {""}, field


def test_splits_share_no_wording() -> None:
    pairs = [t.wordings for t in TEMPLATES.values()]
    pairs += COMPARISONS.values()
    for train, heldout in pairs:
        assert all((train, heldout)), "both sides have wordings"
        assert not set(train) & set(heldout)
    for name, (train, heldout) in AGGREGATES.items():
        assert name == "median" or not set(train) & set(heldout)
