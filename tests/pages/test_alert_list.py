"""Alerts: where, what was seen, what to try; on Trends all of them, on Refine the newest."""

import pytest

from pages import trends
from pages.alerts import alert_list
from pages.run_panel import panel
from pages.run_view import list_rows, load_view
from storage import db, health

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def run_id(add_run):
    return add_run((0.3, 0.6))


def test_an_alert_says_where_what_and_what_to_try(run_id, add_alert):
    add_alert(run_id, 2, "diverged", "the loss is nan", "a smaller learning rate", 1041)
    with db.open_session() as session:
        html = alert_list(health.run_alerts(session, run_id=run_id))
    assert 'data-alert="diverged"' in html
    assert "<b>Iteration 2, step 1,041:</b> the loss is nan. " in html
    assert "<b>Try:</b> a smaller learning rate." in html


def test_hostile_text_in_an_alert_is_text(run_id, add_alert):
    add_alert(run_id, 1, HOSTILE, HOSTILE, HOSTILE, None)
    head, refine = trends.show(run_id)[1], panel(view_of(run_id))
    for html in (head, refine):
        assert "<img" not in html
        assert html.count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;") == 3
        assert "<b>Iteration 1:</b>" in html


def test_trends_says_that_there_is_none_once_an_iteration_was_trained(add_run, add_alert):
    base, trained = add_run((0.3,)), add_run((0.3, 0.6))
    assert "No alert." not in trends.show(base)[1]
    assert "No alert." in trends.show(trained)[1]
    add_alert(trained, 1, "few_pairs", "seen", "advice", None)
    assert "No alert." not in trends.show(trained)[1]


def test_refine_shows_the_newest_three_and_how_many_more_there_are(run_id, add_alert):
    assert "alerts" not in panel(view_of(run_id))
    for number in range(5):
        add_alert(run_id, 1, f"kind-{number}", "seen", "advice", number)
    html = panel(view_of(run_id))
    assert [f"kind-{n}" in html for n in range(5)] == [False, False, True, True, True]
    assert "2 more on the Trends tab" in html


def view_of(run_id):
    with db.open_session() as session:
        return load_view(session, run_id=run_id, rows=list_rows(session))
