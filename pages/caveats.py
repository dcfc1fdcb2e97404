"""What a reader must know before believing a number: said on every tab, and beside the run."""

from codelutra.config import UNSAFE
from codelutra.snapshot_state import SnapshotState
from pages.format import count, text
from pages.run_view import RunRow
from storage.lock import Worker

OPTION = f'<code class="option">{text(UNSAFE)}</code>'


def banner(worker: Worker | None, snapshot: SnapshotState) -> str:
    """Above the tabs: what is wrong here, for as long as it is."""
    return _unfenced(worker) + _barred(worker) + _unsaved(snapshot)


def _unsaved(snapshot: SnapshotState) -> str:
    if not snapshot.failing_since:
        return ""
    newest = f"The newest is of {snapshot.at}." if snapshot.at else "There is none yet."
    return (
        '<div class="note warn" role="status" id="unsaved"><b>Snapshots fail since '
        f"{text(snapshot.failing_since)}.</b> Runs go on, and it is tried again. {text(newest)} "
        f"{text(snapshot.error)}</div>"
    )


def _unfenced(worker: Worker | None) -> str:
    if worker is None or not worker.is_unfenced:
        return ""
    return (
        '<div class="note bad" role="alert" id="unfenced"><b>Programs run without a sandbox here.'
        f"</b> This machine has none and the worker was started with {OPTION}: a program "
        "that a model wrote can read, change and delete whatever its user can, and can forge a "
        "verdict.</div>"
    )


def _barred(worker: Worker | None) -> str:
    if worker is None or not worker.is_barred:
        return ""
    return (
        '<div class="note bad" role="alert" id="barred"><b>No program can be run here.</b> The '
        "sandbox does not hold on this machine, and nothing is run without it: runs, checks of "
        "golds and edits of pairs will fail. <code>python -m codelutra doctor</code> says what is "
        "missing.</div>"
    )


def caveats(run: RunRow) -> str:
    """Beside a run's numbers, whatever the worker does now."""
    notes = []
    if run.is_unfenced:
        notes.append(
            "<b>Executed without a sandbox.</b> Programs of this run could have forged their "
            f"verdicts ({OPTION})."
        )
    if run.num_weak:
        of_all = f"{count(run.num_weak)} of {count(run.num_tasks)}"
        notes.append(
            f"<b>{of_all} tasks have a weak proof.</b> Their tests cannot be taken apart from the "
            "program: it runs beside them and could forge a pass."
        )
    if run.num_quarantined:
        notes.append(
            f"{count(run.num_quarantined)} tasks of the set were in quarantine when this run was "
            "made: it does not use them."
        )
    return "".join(f'<div class="note warn">{note}</div>' for note in notes)
