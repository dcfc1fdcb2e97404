"""An ablation's chart and table: a row a variant, with intervals and gains on the same tasks."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from pages.ablation import figure, load, show_ablation, table
from pages.comparison import Policy, compare
from storage import ablations, db
from storage.models import Run
from tests.trend_runs import add_policy, submit


@pytest.fixture
def group(store: Path) -> list[int]:
    """Two variants with two seeds each; the last run has trained nothing yet."""
    run_ids = []
    for place, (beta, seed) in enumerate([(0.1, 0), (0.1, 1), (0.5, 0), (0.5, 1)]):
        rows = submit("<b>grid", iterations=1, seed=seed, training={"beta": beta})
        add_policy(rows, 0, 0.4, seed=9)
        if place < 3:
            add_policy(rows, 1, 0.5 + place / 10, seed=place)
        run_ids.append(rows.run_id)
    with db.open_session() as session:
        made = ablations.create(session, name="<b>beta")
        for run_id in run_ids:
            session.get_one(Run, run_id).ablation_id = made.id
    return run_ids


def loaded(run_id: int) -> Any:
    with db.open_session() as session:
        return load(session, run_id=run_id)


def test_each_run_is_a_row_with_its_gain_over_the_first_of_its_seed(group: list[int]) -> None:
    found = loaded(group[2])
    assert [variant.label for variant in found.variants] == ["beta 0.1"] * 2 + ["beta 0.5"] * 2
    assert [variant.seed for variant in found.variants] == [0, 1, 0, 1]
    gains = [variant.gain for variant in found.variants]
    assert gains[0] is gains[1] is gains[3] is None
    with db.open_session() as session:
        paired = compare(session, Policy(group[0], 1), Policy(group[2], 1))
    assert paired
    assert gains[2].flips == paired.flips
    assert len(paired.flips) == 60


def test_the_chart_has_a_point_a_run_at_its_score_with_its_interval(group: list[int]) -> None:
    found = loaded(group[0])
    (points,) = figure(found).data
    assert len(points.x) == 3
    for x, high, variant in zip(points.x, points.error_x.array, found.variants, strict=False):
        assert x == pytest.approx(100 * variant.last.pass_at_1, abs=1e-3)
        assert x + high == pytest.approx(100 * variant.last.ci_high, abs=2e-3)
    assert points.y[0] != points.y[1]  # seeds lie beside one another
    assert round(points.y[0]) == round(points.y[1]) > round(points.y[2])


def test_the_table_says_what_seeds_alone_do_and_escapes_names(group: list[int]) -> None:
    html = table(loaded(group[0]))
    assert "<b>beta" not in html
    assert html.count("<tr data-run") == 4
    assert 'data-status="cancelled"' in html
    assert "of 2 seeds" in html
    assert "n = 60" in html


def test_a_run_of_no_group_has_no_section_and_news_alone_are_drawn(group: list[int]) -> None:
    alone = submit("alone").run_id
    assert loaded(alone) is None
    section, chart, rows, version = show_ablation(alone)
    assert (section.visible, chart, rows, version) == (False, "", "", [])
    *_, version = show_ablation(group[0])
    assert show_ablation(group[1], version) == [gr.skip()] * 4  # the same group
