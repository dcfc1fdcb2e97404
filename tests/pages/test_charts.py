"""The figures hold one point a policy, with its interval and count."""

import pytest

from pages import charts
from pages.trend_table import table
from storage import db
from storage.trend import run_trend


@pytest.fixture
def points(add_run):
    run_id = add_run((0.3, 0.6, 0.7))
    with db.open_session() as session:
        return run_trend(session, run_id=run_id)


def test_accuracy_has_a_point_a_policy_with_its_interval(points):
    line = charts.accuracy(points).data[0]
    assert list(line.x) == [0, 1, 2]
    assert list(line.y) == pytest.approx([30, 60, 70])
    assert list(line.error_y.array) == pytest.approx([8, 8, 8])
    assert list(line.customdata[0]) == [100, "22.0 to 38.0"]


def test_verdicts_add_up_to_a_hundred(points):
    bars = charts.verdict_mix(points).data
    assert [bar.name for bar in bars] == ["correct", "wrong result", "syntax error"]
    assert [sum(heights) for heights in zip(*(bar.y for bar in bars), strict=True)] == [100] * 3


def test_syntax_errors_are_shown_greedy_and_sampled(points):
    greedy, sampled = charts.syntax_errors(points).data
    assert list(greedy.y) == pytest.approx([10, 10, 10])
    assert list(sampled.x) == []


def test_one_point_and_none_make_figures_too(points):
    for shown in (points[:1], []):
        for figure in (charts.accuracy, charts.syntax_errors, charts.verdict_mix):
            assert figure(shown).layout.xaxis.range[0] == -0.5


def test_the_table_has_a_row_a_policy(points):
    html = table(points)
    assert html.count("<tr>") == 4
    assert "iteration 2" in html
    assert "22.0 to 38.0" in html


def test_validation_is_a_line_of_its_own_beside_the_held_out_one(add_run):
    run_id = add_run((0.3, 0.6), (0.35, 0.7))
    with db.open_session() as session:
        points = run_trend(session, run_id=run_id)
    heldout, validation, labels = charts.accuracy(points).data
    assert (heldout.name, validation.name) == ("held-out", "validation")
    assert list(validation.y) == pytest.approx([35, 70])
    assert validation.line.dash != heldout.line.dash
    assert list(validation.customdata[1]) == [20, "50.0 to 90.0"]
    assert list(labels.y) == pytest.approx([22, 52])  # out of the way of the better line
    assert set(labels.textposition) == {"bottom center"}


def test_the_promoted_policy_is_marked_in_words_in_its_row_alone(add_run):
    run_id = add_run((0.3, 0.6, 0.7), (0.35, 0.7, 0.6))
    with db.open_session() as session:
        html = table(run_trend(session, run_id=run_id))
    rows = html.split("<tbody>")[1].split("</tr>")
    assert ["promoted</span>" in row for row in rows[:3]] == [False, True, False]
    assert "Validation pass@1" in html
    assert "70.0% <small>50.0 to 90.0, n = 20</small>" in rows[1]


def test_without_validation_there_is_no_such_column(points):
    assert "alidation" not in table(points)
