"""One worker a home and a database.

The lock file in the home says whether it lives and which workflow it runs. Homes that share a
Postgres are told apart by a lock there.
"""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import NullPool, create_engine, func, select

WIDTH = 200  # bytes; one write of a fixed width is never read half
ACQUIRE_S = 1.0  # a reader holds the lock for microseconds while it looks
DATABASE_ACQUIRE_S = 3.0  # the server takes a moment to notice that a worker was killed
WORKER_KEY = 0x436F64654C757472  # "CodeLutr"


@dataclass(frozen=True)
class Worker:
    """The living worker and the workflow it took up last ('' before the first)."""

    pid: int
    workflow_id: str = ""
    is_executing: bool = False
    is_unfenced: bool = False  # it runs programs without a sandbox
    is_barred: bool = False  # it runs none: no sandbox holds here


class WorkerLock:
    """Held by the worker from start to death; the kernel lets go of it whatever happens."""

    def __init__(self, home: Path, *, is_unfenced: bool = False, is_barred: bool = False) -> None:
        self._is_unfenced, self._is_barred = is_unfenced, is_barred
        home.mkdir(parents=True, exist_ok=True)
        self._file = os.open(home / "worker.lock", os.O_RDWR | os.O_CREAT)

    def acquire(self) -> bool:
        deadline = time.monotonic() + ACQUIRE_S
        while not _try_lock(self._file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        self.show("", is_executing=False)
        return True

    def release(self) -> None:
        os.close(self._file)

    def show(self, workflow_id: str, *, is_executing: bool) -> None:
        """Tell the web process what is being executed, or was last."""
        worker = Worker(os.getpid(), workflow_id, is_executing, self._is_unfenced, self._is_barred)
        os.pwrite(self._file, json.dumps(asdict(worker)).ljust(WIDTH).encode(), 0)


class DatabaseLock:
    """Held on Postgres for as long as our connection lives; on SQLite the home's lock is enough.

    A server that is restarted forgets it: then two workers are kept apart by nobody.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def acquire(self) -> bool:
        if self._engine.dialect.name != "postgresql":
            return True
        self._connection = self._engine.connect()
        deadline = time.monotonic() + DATABASE_ACQUIRE_S
        while not self._connection.scalar(select(func.pg_try_advisory_lock(WORKER_KEY))):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def find_worker(home: Path) -> Worker | None:
    """The worker that lives on `home`, or None."""
    try:
        file = os.open(home / "worker.lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(file, fcntl.LOCK_SH):
            return None
        state = os.pread(file, WIDTH, 0)  # empty for a moment when the file is new
        return Worker(**json.loads(state)) if state else Worker(0)
    finally:
        os.close(file)


def worker_alive(home: Path) -> int | None:
    """The process id of the living worker."""
    worker = find_worker(home)
    return worker.pid if worker else None


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
