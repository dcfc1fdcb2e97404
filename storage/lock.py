"""One worker a home: the lock file in it says whether it lives and which workflow it runs.

See at_work.py for homes and machines that share a Postgres.
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

WIDTH = 300  # bytes; one write of a fixed width is never read half
ACQUIRE_S = 1.0  # a reader holds the lock for microseconds while it looks


@dataclass(frozen=True)
class Worker:
    """The living worker and the workflow it took up last ('' before the first)."""

    pid: int
    workflow_id: str = ""
    is_executing: bool = False
    is_unfenced: bool = False  # it runs programs without a sandbox
    is_barred: bool = False  # it runs none: no sandbox holds here
    lab: str = ""  # of its home, where several may share the database
    host: str = ""  # the machine, where it may be another one


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


def find_worker(home: Path) -> Worker | None:
    """The worker that lives on `home`, or None."""
    try:
        file = os.open(home / "worker.lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(file, fcntl.LOCK_SH):
            return None
        deadline = time.monotonic() + ACQUIRE_S
        while not (state := os.pread(file, WIDTH, 0)) and time.monotonic() < deadline:
            time.sleep(0.01)  # the file is new, and its worker about to write
        return Worker(**json.loads(state)) if state else Worker(0)
    finally:
        os.close(file)


def lab_id(home: Path) -> str:
    """The same in a home that machines share, another one in every other home."""
    file = home / "lab-id"
    with contextlib.suppress(FileExistsError), file.open("x") as new:
        new.write(secrets.token_hex(4))
    return file.read_text()


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
