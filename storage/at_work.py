"""Which worker executes what this database holds, on whatever machine it runs.

On SQLite the lock of the home says so. Postgres is shared by machines: there one worker holds a
lock, and the others wait until it lets go. The lock ends with its connection, and the connection's
name says what its holder does: neither can be left over from a worker that is dead.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, func, make_url, select, text
from sqlalchemy.exc import DBAPIError

from storage import db
from storage.db import StorageError
from storage.lock import Worker, find_worker, lab_id

KEY = 0x436F64654C757472  # "CodeLutr"
NOTICED_S = 3.0  # the server takes a moment to see that a worker was killed
LOOK_S = 1.0
# After 40 s of silence the server takes our machine for gone and lets the next worker in. By then
# we have given up: a connection that wants work, one to open in its stead, and the lock's own take
# 8 to 10 s each to fail (`db.PATIENCE`).
SILENCE = {
    "tcp_keepalives_idle": 20,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 4,
    "tcp_user_timeout": 40_000,  # no keepalives are sent while an answer is not acknowledged
}
HOLDER = text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = :high AND objid = :low "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def worker_at_work() -> Worker | None:
    database = db.current()
    if database.engine.dialect.name != "postgresql":
        return find_worker(database.home)
    with (
        db.explained(database.home, database.url),
        database.engine.connect() as connection,
    ):
        return _holder(connection)


class DatabaseLock:
    """The worker's, from before it takes up anything until its connection is gone."""

    def __init__(
        self, url: str, home: Path, *, is_unfenced: bool = False, is_barred: bool = False
    ) -> None:
        self._marks = "u" * is_unfenced + "b" * is_barred
        self._lab = ""
        self._connection: Connection | None = None
        if make_url(url).get_backend_name() == "postgresql":
            self._lab = lab_id(home)
            engine = create_engine(
                url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=db.PATIENCE
            )
            self._connection = engine.connect()
            for name, value in SILENCE.items():
                self._connection.execute(text(f"SET {name} = {value}"))
            self.show("", is_executing=False)

    def acquire(self, is_over: Callable[[], bool], on_wait: Callable[[Worker], None]) -> bool:
        """Wait until no other worker has it; False when that `is_over` before.

        StorageError for a worker of another home: what a run has made would not be found here.
        """
        if self._connection is None:
            return True
        started, told = time.monotonic(), False
        while not self._connection.scalar(select(func.pg_try_advisory_lock(KEY))):
            holder = _holder(self._connection)
            waited = time.monotonic() - started
            if holder and holder.lab != self._lab and waited > NOTICED_S:
                raise StorageError(
                    f"another worker (pid {holder.pid} on {holder.host}), of another "
                    "CODELUTRA_HOME, works on this database: stop it, let both machines share "
                    "one home, or give this one a database of its own (DATABASE_URL)"
                )
            if holder and not told and waited > NOTICED_S:
                on_wait(holder)
                told = True
            if is_over():
                return False
            time.sleep(LOOK_S if told else 0.1)
        return True

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def is_held(self) -> bool:
        """False once the connection is gone, and with it the lock."""
        if self._connection is None:
            return True
        try:
            return self._connection.scalar(select(1)) == 1
        except DBAPIError:
            return False

    def show(self, workflow_id: str, *, is_executing: bool) -> None:
        """Tell every page what is being executed, or was last."""
        if self._connection is None:
            return
        flags = "x" * is_executing + self._marks
        # The host comes last: Postgres cuts what is longer than 63 bytes.
        name = f"codelutra {os.getpid()} {self._lab} {flags or '-'} {workflow_id or '-'} "
        with contextlib.suppress(DBAPIError):  # see is_held
            self._connection.execute(
                select(func.set_config("application_name", name + socket.gethostname(), False))
            )


def _holder(connection: Connection) -> Worker | None:
    name = connection.scalar(HOLDER, {"high": KEY >> 32, "low": KEY & 0xFFFFFFFF})
    if name is None:
        return None
    parts = name.split(" ")
    if len(parts) != 6 or parts[0] != "codelutra":  # of another version, or another's to see
        return Worker(0)
    _, pid, lab, flags, workflow, host = parts
    return Worker(
        int(pid),
        "" if workflow == "-" else workflow,
        is_executing="x" in flags,
        is_unfenced="u" in flags,
        is_barred="b" in flags,
        lab=lab,
        host=host,
    )
