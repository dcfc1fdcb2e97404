"""The Trends tab: which runs it lists and overlays, what it says of them, what is taken along."""

import csv

import gradio as gr
import pandas
import pytest

from pages import downloads, trend_head, trends
from pages.side_by_side import side_by_side
from pages.trend_runs import shown_runs
from storage import db, jobs, queries
from tests.pages.test_charts import lines_of
from tests.trend_runs import add_run, submit


def overview(run_id, others=(), seen=None):
    with db.open_session() as session:
        return trends.show_overview(session, shown_runs(session, run_id, others), seen)


def test_smoke_tests_are_left_out_unless_an_address_names_one(store):
    run, smoke = submit("real").run_id, submit("tried", smoke=True).run_id
    assert [value for _, value in overview(run)[0].choices] == [run]
    picker, head = overview(smoke)[:2]
    assert picker.value == smoke
    assert {value: label for label, value in picker.choices}[smoke] == (
        f"Run {smoke}: tried, smoke test (cancelled)"
    )
    assert "A smoke test: its one task is no result." in head
    assert overview(None)[0].value == run


def test_runs_are_overlaid_in_the_order_they_were_chosen(store):
    first, second, third = (add_run(name, (0.3, 0.6), seed=i) for i, name in enumerate("abc"))
    outputs = overview(second, [third, first, second, 99])
    assert outputs[0].value == second
    assert outputs[2].value == [third, first]
    assert second not in [value for _, value in outputs[2].choices]
    assert overview(second, [third, first], outputs[-1])[0] == gr.skip()
    assert overview(second, [third], outputs[-1])[0] != gr.skip()


def test_a_run_that_stopped_without_a_score_says_what_to_do(store):
    run = submit("nothing").run_id
    assert "cancelled without a score: resume it on the Refine tab" in overview(run)[1]
    assert "No run yet" in trend_head.EMPTY


def test_a_failed_run_says_why_and_still_shows_its_numbers(store):
    with db.open_session() as session:
        run = queries.create_run(session, name="r", config={}, num_train=2, num_heldout=1)
    html = overview(run.id)[1]
    assert 'data-state="failed"' in html
    assert "<b>The run failed:</b> the job queue has lost" in html


def test_a_run_that_fails_again_says_its_new_reason(store, monkeypatch):
    with db.open_session() as session:
        run = queries.create_run(session, name="r", config={}, num_train=2, num_heldout=1)
    for reason in ("the disk is full", "the model is gone"):
        monkeypatch.setattr(jobs, "error", lambda _, reason=reason: reason)
        assert f"<b>The run failed:</b> {reason}" in overview(run.id)[1]


def test_only_the_settings_that_differ_are_compared_with_their_meaning(store):
    first = add_run("a", (0.3, 0.6))
    second = add_run("b", (0.3, 0.6), training={"beta": 0.1}, quarantined=["q"] * 9)
    with db.open_session() as session:
        html = side_by_side(session, lines_of(first, second))
        same = side_by_side(session, lines_of(first, add_run("c", (0.3, 0.6))))
        assert side_by_side(session, lines_of(first)) == ""
    assert "<code>training.beta</code>" in html
    assert "DPO temperature (Iterative RPO)" in html
    assert "<td>0.5</td><td>0.1</td>" in html
    assert "<td>none</td><td>9 of them</td>" in html
    assert html.count("<code>") == 2
    assert "Their settings are the same." in same


def test_backends_of_their_own_settings_are_compared_too(store):
    first = add_run("a", (0.3,), generation={"backend": "transformers"})
    second = add_run("b", (0.3,), generation={"backend": "openai", "base_urls": "http://x/v1"})
    with db.open_session() as session:
        html = side_by_side(session, lines_of(first, second))
    assert "<td>transformers</td><td>openai</td>" in html
    assert "not its own</span></td><td>http://x/v1</td>" in html


def test_numbers_are_the_same_in_both_formats_and_hold_every_chart(store):
    run = add_run("a", (0.3, 0.6))
    with open(downloads.download(run, None, "csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    frame = pandas.read_parquet(downloads.download(run, None, "parquet"))
    assert len(rows) == len(frame)
    assert [float(row["value"]) for row in rows] == pytest.approx(list(frame["value"]))
    assert {row["chart"] for row in rows} == {place.key for place in trends.CHARTS} | {"training"}


def test_a_report_has_the_runs_name_and_status(store):
    run = add_run("a <b>", (0.3, 0.6))
    with open(downloads.download(run, None, "html"), encoding="utf-8") as file:
        html = file.read()
    assert f"Run {run}, a &lt;b&gt;" in html
    assert "The run is cancelled." in html
    with pytest.raises(gr.Error, match="no run to download"):
        downloads.download(None, None, "html")
    assert jobs.status(run) == "cancelled"
