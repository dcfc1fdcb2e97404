"""Numbers that cannot be trusted are never shown without saying so."""

from datetime import UTC, datetime

from codelutra.snapshot_state import SnapshotState
from pages import shell, trend_head
from pages.caveats import banner, caveats
from pages.run_panel import panel
from pages.run_view import RunRow, list_rows, load_view
from storage import db, recording
from storage.lock import Worker, WorkerLock
from storage.run_status import RunStatus


def row(**changes: object) -> RunRow:
    now = datetime.now(UTC)
    return RunRow(1, "starter", RunStatus.COMPLETED, 2, now, num_tasks=500, **changes)


def test_a_sound_run_has_no_caveat():
    assert caveats(row()) == ""
    assert banner(None, SnapshotState()) == banner(Worker(1), SnapshotState()) == ""


def test_weak_proofs_are_counted():
    assert "12 of 500 tasks have a weak proof" in caveats(row(num_weak=12))


def test_an_unfenced_run_says_so_on_both_tabs_whatever_the_worker_does_now(add_run):
    run_id = add_run((0.3, 0.6))
    with db.open_session() as session:
        recording.set_trust(session, run_id=run_id, is_unfenced=True, num_weak=0)
    with db.open_session() as session:
        rows = list_rows(session)
        view = load_view(session, run_id=run_id, rows=rows)
    assert "Executed without a sandbox" in panel(view)
    assert "Executed without a sandbox" in trend_head.head(rows[0], view.scored, view.gain)


def test_an_unfenced_worker_is_announced_above_the_tabs(store):
    lock = WorkerLock(store, is_unfenced=True)
    assert lock.acquire()
    top, footer = (part.value for part in shell.around().values())
    assert "Programs run without a sandbox here" in top
    assert "--unsafe-local-execution" in top
    assert "worker running" in footer
    lock.show("run-1-1", is_executing=True)
    assert shell.around()["banner"].value == top


def test_a_worker_whose_sandbox_does_not_hold_is_announced_above_the_tabs(store):
    lock = WorkerLock(store, is_barred=True)
    assert lock.acquire()
    assert "No program can be run here" in shell.around()["banner"].value
