"""What the Refine page says of a run: the data, and the HTML made of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pages.run_list import queue_list
from pages.run_panel import log_tail, panel
from pages.run_view import RunRow, first_shown, list_rows, load_view
from storage import db, queries, recording
from storage.lock import WorkerLock
from storage.run_status import RunStatus


def view_of(run_id: int):
    with db.open_session() as session:
        return load_view(session, run_id=run_id, rows=list_rows(session))


def row(number: int, status: RunStatus) -> RunRow:
    return RunRow(number, "starter", status, 2, datetime.now(UTC))


def test_before_the_first_run_the_page_says_what_a_run_does(store):
    assert "then press <strong>Start</strong>" in panel(None)
    with db.open_session() as session:
        assert load_view(session, run_id=1) is None


def test_the_run_under_way_is_shown_first():
    rows = [row(3, RunStatus.QUEUED), row(2, RunStatus.RUNNING), row(1, RunStatus.COMPLETED)]
    assert first_shown(rows) == 2
    assert first_shown(rows[2:]) == 1
    assert first_shown([]) is None


def test_a_queued_run_says_what_goes_first(add_run, home):
    lock = WorkerLock(home)
    assert lock.acquire()
    first, second = add_run(), add_run()
    assert f"Queued behind run {first}" in panel(view_of(second))
    assert "starts in a moment" in panel(view_of(first))


def test_a_queued_run_without_a_worker_says_so(add_run):
    assert "The worker is starting" in panel(view_of(add_run()))


def test_base_and_newest_policy_are_compared_with_their_intervals(add_run):
    html = panel(view_of(add_run((0.3, 0.6))))
    assert "30.0%" in html
    assert "22.0 to 38.0" in html
    assert "+30.0 points" in html
    assert "95 % interval +21.9 to +39.6" in html  # nothing broke: Wilson's of 30 in 100
    assert "may be chance" not in html


def test_a_small_change_is_called_what_it_may_be(add_run):
    assert "may be chance" in panel(view_of(add_run((0.3, 0.31))))


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        (RunStatus.QUEUED, "cancel"),
        (RunStatus.RUNNING, "pause cancel"),
        (RunStatus.PAUSED, "resume cancel"),
        (RunStatus.CANCELLED, "resume"),
        (RunStatus.FAILED, "resume"),
        (RunStatus.COMPLETED, ""),
    ],
)
def test_only_what_makes_sense_can_be_pressed(add_run, status, allowed):
    view = view_of(add_run())
    view = replace(view, row=replace(view.row, status=status))
    pressable = {"pause": view.can_pause, "resume": view.can_resume, "cancel": view.can_cancel}
    assert [name for name, can in pressable.items() if can] == allowed.split()


def test_a_failure_is_shown_escaped_and_with_what_to_do(add_run):
    view = view_of(add_run())
    view = replace(view, row=replace(view.row, status=RunStatus.FAILED), error="<script>")
    html = panel(view)
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "press Resume" in html


def test_a_finished_run_says_whether_it_ended_early_and_how_to_take_its_adapter(add_run):
    def finished(*accuracies):
        view = view_of(add_run(accuracies, iterations=2))
        return view, panel(replace(view, row=replace(view.row, status=RunStatus.COMPLETED)))

    view, whole = finished(0.4, 0.6, 0.7)
    assert f"python -m codelutra export adapter {view.row.id} --out" in whole
    assert "Stopped after" not in whole
    assert "Stopped after iteration 1: its gain on validation" in finished(0.4, 0.6)[1]


def test_a_baseline_says_what_to_do_next(add_run):
    view = view_of(add_run((0.4,), iterations=0))
    html = panel(replace(view, row=replace(view.row, status=RunStatus.COMPLETED)))
    assert "This is what the base solves" in html
    assert "export adapter" not in html
    assert "base alone" in view.row.label


def test_a_run_that_is_to_end_says_where_and_that_it_was_asked(add_run, home):
    run_id = add_run((0.4, 0.6), iterations=3)
    with db.open_session() as session:
        queries.get_run(session, run_id=run_id).stop_after = 1
    view = view_of(run_id)
    running = panel(replace(view, row=replace(view.row, status=RunStatus.RUNNING)))
    assert "It ends after iteration 1, as asked" in running
    assert running.count("left out") == 2
    ended = panel(replace(view, row=replace(view.row, status=RunStatus.COMPLETED)))
    assert "Ended after iteration 1, as asked" in ended
    assert "may be chance." not in ended


def test_an_iteration_is_looked_at(add_run):
    run_id = add_run((0.3, 0.6))
    with db.open_session() as session:
        view = load_view(session, run_id=run_id, looked_at=1)
    html = panel(view)
    assert 'data-iteration="1"' in html
    assert "60.0% (95 % interval 52.0 to 68.0, n = 100)" in html
    assert "60 correct, 30 wrong result, 10 syntax error" in html
    assert f'href="?tab=pairs&amp;run={run_id}&amp;iteration=1"' in html
    assert "data-iteration" not in panel(view_of(run_id))


def test_the_machine_and_the_rate_are_shown_while_a_run_is_at_work(add_run):
    run_id = add_run()
    values = {"cpu_percent": 93.0, "cpu_cores": 2, "memory_used": 2**30, "memory_total": 2**32}
    gpu = {"name": "H<b>", "percent": 71.0, "memory_used": 2**33, "memory_total": 2**34}
    with db.open_session() as session:
        recording.set_progress(
            session, run_id=run_id, iteration=1, phase="sample", done=0, total=90, new=True
        )
        progress = queries.progress(session, run_id=run_id)
        progress.done, progress.updated_at = 60, progress.started_at + timedelta(seconds=5)
    view = view_of(run_id)
    view = replace(view, row=replace(view.row, status=RunStatus.RUNNING))
    assert "gauges" not in panel(view)
    html = panel(replace(view, machine=values | {"gpu": None}))
    assert "12.0 a second" in html
    assert "CPU, 2 cores" in html
    assert "25 %, 1.0 GiB of 4.0 GiB" in html
    assert "no GPU in use" in html
    html = panel(replace(view, machine=values | {"gpu": gpu}))
    assert "H&lt;b&gt;" in html
    assert "50 %, 8.0 GiB of 16.0 GiB" in html


def test_runs_that_wait_can_be_moved_but_not_off_the_ends(add_run):
    first, second = add_run(), add_run()
    with db.open_session() as session:
        rows = list_rows(session)
    html = queue_list(rows, [second, first])
    assert html.index(f"Run {second}") < html.index(f"Run {first}")
    assert f'aria-label="Start run {second} earlier" disabled' in html
    assert f'aria-label="Start run {first} earlier">' in html
    assert queue_list(rows, []) == ""


def test_the_log_is_escaped_text(add_run):
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; {{x}} ${1 + 1}" in log_tail(view_of(add_run()))
