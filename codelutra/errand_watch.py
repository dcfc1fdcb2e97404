"""How an errand of the worker says how far it is, and hears that somebody stopped it."""

import time
from collections.abc import Callable

from storage import jobs

REPORT_S = 0.5
STOP_POLL_S = 0.4


class Reporter:
    """Passes numbers on, now and then; the first and the last of `total` always."""

    def __init__(self, write: Callable[[int, int], None]) -> None:
        self._write, self._at = write, 0.0

    def __call__(self, done: int, total: int = 0) -> None:
        if time.monotonic() - self._at < REPORT_S and not (total and done in (0, total)):
            return
        self._write(done, total)
        self._at = time.monotonic()


class Stopper:
    """Asks the queue, now and then, whether the workflow was stopped."""

    def __init__(self, workflow_id: str) -> None:
        self._workflow, self._at, self._stopped = workflow_id, 0.0, False

    def __call__(self) -> bool:
        if not self._stopped and time.monotonic() - self._at >= STOP_POLL_S:
            self._stopped = jobs.is_stopped(self._workflow)
            self._at = time.monotonic()
        return self._stopped
