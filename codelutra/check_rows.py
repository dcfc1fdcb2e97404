"""A check of a task set's golds, kept in the database: what the worker does of `storage.checks`."""

import time
from dataclasses import asdict

from codelutra.tasks import load_tasks
from codelutra.tasks.health import find_problems
from storage import checks, db, jobs

REPORT_S = 0.5
STOP_POLL_S = 0.4


def run_check(check_id: int) -> None:
    """Raises StopRequested when somebody cancelled it."""
    with db.open_session() as session:
        tasks = checks.get_check(session, check_id=check_id).tasks
    findings = find_problems(load_tasks(tasks), Reporter(check_id), Stopper(check_id))
    with db.open_session() as session:
        checks.finish(session, check_id=check_id, findings=[asdict(one) for one in findings])


class Reporter:
    """Writes how far it is, now and then."""

    def __init__(self, check_id: int) -> None:
        self._check_id, self._at = check_id, 0.0

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._at < REPORT_S:
            return
        with db.open_session() as session:
            checks.set_done(session, check_id=self._check_id, done=done)
        self._at = time.monotonic()


class Stopper:
    """Asks the queue, now and then, whether somebody cancelled it."""

    def __init__(self, check_id: int) -> None:
        self._workflow, self._at, self._stopped = checks.workflow_of(check_id), 0.0, False

    def __call__(self) -> bool:
        if not self._stopped and time.monotonic() - self._at >= STOP_POLL_S:
            self._stopped = jobs.is_stopped(self._workflow)
            self._at = time.monotonic()
        return self._stopped
