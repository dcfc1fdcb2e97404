"""Every query of docs/trends.md gives the numbers that the page shows of a finished run."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from codelutra.config import RefineConfig
from codelutra.evaluation import pass_at_k
from codelutra.loop import refine
from codelutra.run_rows import RunRows
from codelutra.tasks import load_tasks, select_tasks
from pages.downloads import numbers_of
from pages.funnel import stages
from pages.numbers import Number
from pages.what_changed import changes
from storage import db, health, jobs
from tests.lab import database
from tests.trend_runs import add_run

__all__ = ["database"]
DOCS = Path(__file__).parents[2] / "docs" / "trends.md"
QUERIES = dict(re.findall(r"```sql\n-- name: (\w+)\n(.*?)```", DOCS.read_text(), re.S))


@pytest.fixture
def run_id(database: Path) -> int:
    jobs.prepare(database)
    return add_run("finished", (0.39, 0.7, 0.8))


def ask(name: str, **values: Any) -> list[dict[str, Any]]:
    with db.open_session() as session:
        found = session.connection().execute(text(QUERIES[name]), values)
        return [dict(row) for row in found.mappings()]


def shown(run_id: int, chart: str, series: str) -> dict[int, Number]:
    """What the page draws, by policy."""
    return {n.iteration: n for n in numbers_of([run_id]) if (n.chart, n.series) == (chart, series)}


def test_all_are_here() -> None:
    assert set(QUERIES) == {"accuracy", "verdicts", "sampled", "pass_at_k", "flips", "yield",
                            "pairs", "time"}  # fmt: skip


def test_every_number_on_the_page_comes_from_its_query(run_id: int) -> None:
    compare_with_the_page(run_id, [0, 1, 2])


@pytest.mark.slow
def test_the_numbers_of_a_finished_starter_run_come_from_their_queries(home: Path) -> None:
    jobs.prepare(home)
    config = RefineConfig.for_model("starter", iterations=1, max_train=20, max_heldout=20)
    tasks = select_tasks(load_tasks("starter"), config)
    with db.open_session() as session:
        run = jobs.submit(session, config=config.model_dump(mode="json"), name="starter",
                          num_train=16, num_validation=4, num_heldout=20)  # fmt: skip
        number, workflow_id = run.id, run.workflow_id
    assert number
    refine(RunRows(number, workflow_id), tasks)
    compare_with_the_page(number, [0, 1])
    (row,) = ask("flips", run=number, from_iteration=0, to_run=number, to_iteration=1)
    assert row["n"] == changes(number, 0, 1)["num_tasks"] == 20
    assert (row["fixed"] - row["broken"]) / row["n"] == pytest.approx(changes(number, 0, 1)["gain"])
    times = {row["phase"]: row for row in ask("time", run=number) if row["iteration"]}
    assert times["sample"]["tokens"] > times["evaluate"]["tokens"] > 0
    assert shown(number, "time", "sample, tokens")[1].value == times["sample"]["tokens"]


def compare_with_the_page(run_id: int, policies: list[int]) -> None:
    for split, series in (("heldout", "held-out"), ("validation", "validation")):
        page, rows = shown(run_id, "accuracy", series), ask("accuracy", run=run_id, split=split)
        assert [row["iteration"] for row in rows] == policies
        for row in rows:
            drawn = page[row["iteration"]]
            found = [float(row[name]) for name in ("pass_at_1", "ci_low", "ci_high")]
            assert found == pytest.approx([drawn.value, drawn.low, drawn.high])
            assert row["n"] == drawn.n
    greedy = shown(run_id, "syntax", "held-out, greedy")
    for row in ask("accuracy", run=run_id, split="heldout"):
        assert float(row["syntax_error"]) == pytest.approx(greedy[row["iteration"]].value)

    for row in ask("verdicts", run=run_id):
        drawn = shown(run_id, "verdicts", row["verdict"])[row["iteration"]]
        assert row["n"] == round(drawn.value * (drawn.n or 0))
    sampled = shown(run_id, "syntax", "training, sampled")
    rows = ask("sampled", run=run_id)
    assert {row["policy"]: row["n"] for row in rows} == {p: n.n for p, n in sampled.items()}
    for row in rows:
        assert float(row["syntax_error"]) == pytest.approx(sampled[row["policy"]].value)

    counts = ask("pass_at_k", run=run_id, num_samples=10)
    for k in (1, 5, 10):
        for policy, drawn in shown(run_id, "pass-at-k", f"pass@{k}").items():
            mine = [row for row in counts if row["policy"] == policy and row["n"] >= k]
            tasks = sum(row["tasks"] for row in mine)
            total = sum(row["tasks"] * pass_at_k(row["n"], row["c"], k) for row in mine)
            assert (total / tasks, tasks) == (pytest.approx(drawn.value), drawn.n)

    for row in ask("time", run=run_id):
        drawn = shown(run_id, "time", f"{row['phase']}, seconds")[row["iteration"]]
        assert row["seconds"] == pytest.approx(drawn.value)


def test_flips_and_gain_come_from_their_query(run_id: int) -> None:
    sides = {"from_iteration": 0, "to_run": run_id, "to_iteration": 2}
    (row,) = ask("flips", run=run_id, **sides)
    told = changes(run_id, 0, 2)
    cells = [task["cell"] for task in told["tasks"]]
    names = {"fixed": "fixed", "broken": "broken", "still_right": "right", "still_wrong": "wrong"}
    assert {name: row[name] for name in names} == {n: cells.count(c) for n, c in names.items()}
    assert row["n"] == told["num_tasks"] == 60
    assert (row["fixed"] - row["broken"]) / row["n"] == pytest.approx(told["gain"])


def test_the_yield_comes_from_its_query(run_id: int) -> None:
    (row,) = ask("yield", run=run_id, iteration=1)
    with db.open_session() as session:
        funnel = health.funnel(session, run_id=run_id, number=1)
    assert funnel
    assert stages(funnel)[1].number == row["samples"] == 200
    assert (funnel.graded, funnel.mixed_tasks) == (row["graded"], row["mixed_tasks"])
    pairs = {each["iteration"]: each["pairs"] for each in ask("pairs", run=run_id)}
    assert pairs == {1: funnel.pairs, 2: 1}
