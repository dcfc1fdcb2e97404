"""The log of a run: for its page, for its folder, and for the worker's own log."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from codelutra.log_lines import one_event
from storage import db, queries

log = logging.getLogger(__name__)


def run_folder(run_id: int) -> Path:
    folder = db.current().home / "runs" / str(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log_line(run_id: int, message: str, trace: str = "", iteration: int | None = None) -> None:
    """A line for people; `trace` goes to the run's log file alone."""
    with db.open_session() as session:
        queries.add_log(session, run_id=run_id, message=message)
    log.info("run %d: %s", run_id, message, extra={"run": run_id, "iteration": iteration})
    with (run_folder(run_id) / "run.log").open("a", encoding="utf-8", errors="replace") as file:
        told = f"{message}\n{trace}".rstrip("\n")
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z", one_event(told), file=file)
