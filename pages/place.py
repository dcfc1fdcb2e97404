"""What cannot be done in this place: told on the Refine tab, and asked before a run goes on."""

from codelutra.backends import why_no_runs
from pages.format import text
from storage import jobs
from storage.db import StorageError


def can_run() -> bool:
    return not why_no_runs()


def notice() -> str:
    """HTML; empty where runs can be executed."""
    if can_run():
        return ""
    return (
        '<div class="note warn" role="status" id="no-runs"><b>No run can be executed here:</b> '
        f"{text(why_no_runs())}. Runs are executed by a lab elsewhere and come here with its "
        "snapshot or its backup. Reading them, judging and editing pairs, checking golds and "
        "comparing remote models work here.</div>"
    )


def resume(run_id: int) -> None:
    if not can_run():
        raise StorageError(f"run {run_id} stays as it is: {why_no_runs()}")
    jobs.resume(run_id)
