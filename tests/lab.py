"""Databases (SQLite, and Postgres where there is one) and real workers in their own processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy

from codelutra.config import RefineConfig
from storage import db, jobs
from storage.lock import find_worker
from storage.run_status import RunStatus

WORKER = Path(__file__).parent / "fake_worker.py"
Process = subprocess.Popen[str]


def wait_for(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    """The first truthy value of `condition()`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{seconds} s passed in vain")


def kill(worker: Process, how: signal.Signals = signal.SIGKILL) -> int:
    worker.send_signal(how)
    return worker.wait(60)


class Lab:
    """What a person at the dashboard can do, and `kill -9`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.workers: list[Process] = []

    def submit(self, **config: Any) -> int:
        settings = RefineConfig.for_model("starter", **config)
        with db.open_session() as session:
            run = jobs.submit(
                session,
                config=settings.model_dump(mode="json"),
                name="a run",
                num_train=settings.max_train,
                num_heldout=settings.max_train,
            )
        assert run.id is not None
        return run.id

    def start_worker(
        self, *arguments: str, batch_s: float = 0.02, inside: Sequence[str] = ()
    ) -> Process:
        """Not yet at work when this returns. `inside` is a command that becomes another."""
        worker = subprocess.Popen(
            [*inside, sys.executable, str(WORKER), str(self.home), *arguments],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "FAKE_BATCH_S": str(batch_s),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.workers.append(worker)
        return worker

    def started_worker(self, batch_s: float = 0.02, inside: Sequence[str] = ()) -> Process:
        worker = self.start_worker(batch_s=batch_s, inside=inside)
        wait_for(lambda: (found := find_worker(self.home)) and found.pid == worker.pid)
        return worker

    def wait_for(self, run_id: int, status: RunStatus, seconds: float = 120.0) -> None:
        wait_for(lambda: jobs.status(run_id) is status, seconds)


@contextmanager
def new_postgres() -> Iterator[str]:
    """The URL of an empty database on CODELUTRA_TEST_POSTGRES."""
    server = sqlalchemy.make_url(os.environ["CODELUTRA_TEST_POSTGRES"])
    name = f"codelutra_{uuid4().hex[:12]}"
    admin = sqlalchemy.create_engine(
        server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty home; its database is on CODELUTRA_TEST_POSTGRES in tests marked postgres."""
    if request.param == "sqlite":
        yield home
        return
    with new_postgres() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield home


@pytest.fixture
def lab(database: Path) -> Iterator[Lab]:
    jobs.prepare(database)
    lab = Lab(database)
    yield lab
    for worker in lab.workers:
        if worker.poll() is None:
            kill(worker)
        assert worker.stdout is not None
        worker.stdout.close()
