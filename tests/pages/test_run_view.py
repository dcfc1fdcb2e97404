"""What the Refine page says of a run: the data, and the HTML made of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pages.run_panel import log_tail, panel
from pages.run_view import RunRow, first_shown, list_rows, load_view, run_version
from storage import db, queries, recording
from storage.jobs import RunStatus
from storage.lock import WorkerLock


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


def test_the_log_is_escaped_text(add_run):
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; {{x}} ${1 + 1}" in log_tail(view_of(add_run()))


def test_the_version_changes_with_progress_and_only_then(add_run):
    run_id = add_run()

    def version():
        with db.open_session() as session:
            return run_version(session, run_id=run_id, rows=list_rows(session))

    before = version()
    assert version() == before
    with db.open_session() as session:
        recording.set_progress(
            session, run_id=run_id, iteration=1, phase="sample", done=5, total=9, new=True
        )
    after = version()
    assert after != before
    with db.open_session() as session:
        queries.add_log(session, run_id=run_id, message="news")
    assert version() != after
