"""The promoted iteration: chosen by validation, said in words, and never of the base."""

import pytest

from pages.promotion import promoted, promotion
from pages.run_panel import panel
from pages.run_view import list_rows, load_view
from storage import db
from storage.trend import run_trend


@pytest.fixture
def points_of(add_run):
    def points(accuracies, validated):
        with db.open_session() as session:
            return run_trend(session, run_id=add_run(accuracies, validated))

    return points


def test_the_best_on_validation_is_promoted_whatever_held_out_says(points_of):
    points = points_of((0.3, 0.9, 0.5), (0.3, 0.4, 0.8))
    assert promoted(points) == 2
    assert promotion(points, is_over=True) == (
        "<b>Iteration 2 is promoted</b>: best on the 20 validation tasks, <b>80.0%</b>."
    )
    assert "tasks so far" in promotion(points, is_over=False)


def test_where_no_adapter_beats_the_base_none_is_promoted(points_of):
    points = points_of((0.3, 0.9), (0.5, 0.5))
    assert promoted(points) == 0
    assert "No iteration beats the base model on the 20 validation tasks (50.0%)" in promotion(
        points, is_over=True
    )


@pytest.mark.parametrize("validated", [(), (0.3,)])
def test_without_a_validated_adapter_nothing_is_said(points_of, validated):
    points = points_of((0.3, 0.9), validated)
    assert promoted(points) is None
    assert promotion(points, is_over=True) == ""


def test_the_refine_page_names_the_tasks_and_marks_the_promoted_round(add_run):
    run_id = add_run((0.3, 0.6, 0.5), (0.3, 0.7, 0.6))
    with db.open_session() as session:
        html = panel(load_view(session, run_id=run_id, rows=list_rows(session)))
    assert "400 training, 20 validation and 100 held-out tasks" in html
    rounds = html.split('class="rounds"')[1].split("</li>")
    assert ["promoted</span>" in box for box in rounds[:3]] == [False, True, False]


def test_the_base_is_never_marked(add_run):
    run_id = add_run((0.3, 0.6), (0.7, 0.6))
    with db.open_session() as session:
        html = panel(load_view(session, run_id=run_id, rows=list_rows(session)))
    assert "promoted" not in html
