"""What a worker holds while it lives: its home's lock, and on Postgres the database's."""

import logging
from collections.abc import Callable
from pathlib import Path

from codelutra.config import may_run_unfenced
from codelutra.errors import CodeLutraError
from codelutra.sandbox import fences_hold
from storage import db, queries
from storage.at_work import DatabaseLock
from storage.lock import Worker, WorkerLock, find_worker

log = logging.getLogger("codelutra.worker")


class WorkerLocks:
    """Raises CodeLutraError where another worker lives on this home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with db.explained(home, db.database_url(home)):
            is_open = not fences_hold()
            self._marks = {
                "is_unfenced": is_open and may_run_unfenced(),
                "is_barred": is_open and not may_run_unfenced(),
            }
            self._of_home = WorkerLock(home, **self._marks)
        if not self._of_home.acquire():
            worker = find_worker(home)
            pid = worker.pid if worker else "?"
            raise CodeLutraError(f"worker already running (pid {pid}) on {home}")

    def wait_for_database(self, is_over: Callable[[], bool]) -> bool:
        """Behind another machine's worker, however long that lives; False when that `is_over`."""
        url = db.current().url
        with db.explained(self._home, url):
            self._of_database = DatabaseLock(url, self._home, **self._marks)
            return self._of_database.acquire(is_over, _tell)

    def is_held(self) -> bool:
        return self._of_database.is_held()

    def show(self, workflow_id: str, *, is_executing: bool) -> None:
        self._of_home.show(workflow_id, is_executing=is_executing)
        self._of_database.show(workflow_id, is_executing=is_executing)


def _tell(worker: Worker) -> None:
    log.info("waiting: worker %d on %s works on this database", worker.pid, worker.host)


def check_home(run_id: int) -> None:
    """CodeLutraError where what the run has made lies in a home that this machine does not see."""
    place = db.current().home
    with db.open_session() as session:
        for path in queries.adapter_paths(session, run_id=run_id):
            if not Path(path).exists() and place not in Path(path).parents:
                raise CodeLutraError(
                    f"run {run_id} was begun under another CODELUTRA_HOME, {path} is not here "
                    f"({place}): let the machines share that home, then resume"
                )
