"""The database: where it is, how it is opened, and errors a person can act on.

One process has one database: `init(home)` opens it, `open_session()` then works anywhere.
"""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlmodel import Session

BUSY_TIMEOUT_S = 30
SQLITE_FILE = "codelutra.sqlite"  # in the home
# A server's machine that vanished says no goodbye: a connection to it is given up after 8 s.
PATIENCE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8_000,
}
POSTGRES_DISK_FULL = "53100"
GONE = ("08", "57P")  # classes of SQLSTATE: no connection; the server stops, or starts
MIGRATIONS = Path(__file__).parent / "migrations"


class StorageError(Exception):
    """The database cannot do what was asked; one line that says what, where and what to do."""


@dataclass(frozen=True)
class Database:
    home: Path
    url: str
    engine: Engine


_current: Database | None = None


def database_url(home: Path) -> str:
    """DATABASE_URL, with the driver we use named, or the SQLite file in `home`."""
    url = os.environ.get("DATABASE_URL", "").strip()
    return with_driver(url) if url else f"sqlite:///{home / SQLITE_FILE}"


def with_driver(url: str) -> str:
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def init(home: Path) -> Database:
    """Open the database of `home` and bring its schema up to date. Safe to call again."""
    global _current
    home = home.expanduser().absolute()
    url = database_url(home)
    if _current and (_current.home, _current.url) == (home, url):
        return _current
    with explained(home, url):
        home.mkdir(parents=True, exist_ok=True)
        engine = make_engine(url)
        with migration_lock(home):
            migrate(engine, url)
    if _current:
        _current.engine.dispose()
    _current = Database(home, url, engine)
    return _current


def current() -> Database:
    assert _current, "storage.db.init(home) comes first"
    return _current


@contextmanager
def open_session() -> Iterator[Session]:
    """A session that commits when the block ends well and rolls back when it raises.

    Rows stay readable after the block.
    """
    database = current()
    with (
        explained(database.home, database.url),
        Session(database.engine, expire_on_commit=False) as session,
    ):
        yield session
        session.commit()


@contextmanager
def explained(home: Path, url: str) -> Iterator[None]:
    """Turn the database failures a person can mend into one clear `StorageError`."""
    try:
        yield
    except (DBAPIError, OSError, ArgumentError, NoSuchModuleError) as error:
        message = explain(error, home, url)
        if message is None:
            raise
        raise StorageError(message) from error


def explain(error: Exception, home: Path, url: str) -> str | None:
    """One line for a person, or None when the error is a bug of ours."""
    if isinstance(error, ArgumentError | NoSuchModuleError):
        return "DATABASE_URL is not a database URL; write postgresql://user:password@host/name"
    if is_disk_full(error):
        is_theirs = url.startswith("postgresql") and isinstance(error, DBAPIError)
        place = "the database" if is_theirs else home
        return f"no space left on the disk of {place}: free some; what is finished is kept"
    reason = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]
    place = make_url(url).render_as_string(hide_password=True)
    if isinstance(error, OSError) or any(
        words in reason for words in ("unable to open database", "readonly database")
    ):
        return f"cannot write to {home} ({reason}): set CODELUTRA_HOME to a writable folder"
    if "not a database" in reason or "malformed" in reason:
        return f"{place} is not a SQLite database or is damaged: move it away and start again"
    if "database is locked" in reason:
        return f"{place} was busy for {BUSY_TIMEOUT_S} s: another program holds it, close that"
    if url.startswith("postgresql") and _is_connection_failure(error):
        return f"cannot reach {place}: {reason}"
    return None


def is_disk_full(error: BaseException) -> bool:
    """True when `error`, or what caused it, is a disk without space."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(cause, DBAPIError) and (
            "disk is full" in str(cause.orig)
            or getattr(cause.orig, "sqlstate", None) == POSTGRES_DISK_FULL
        ):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def is_lost(error: BaseException) -> bool:
    """True when `error`, or what caused it, is a Postgres that went away; not one that refuses."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError) and cause.orig and hasattr(cause.orig, "sqlstate"):
            state: str | None = cause.orig.sqlstate
            is_silent = state is None and isinstance(cause, OperationalError)
            if cause.connection_invalidated or is_silent or (state or "").startswith(GONE):
                return True
        cause = cause.__cause__ or cause.__context__
    return False


@contextmanager
def migration_lock(home: Path) -> Iterator[None]:
    """Web and worker may start together: one migrates, the other waits."""
    with open(home / "migration.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def alembic_config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def _is_connection_failure(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
    )


def make_engine(url: str) -> Engine:
    """Room for DBOS's threads and ours; every connection of SQLite in WAL mode."""
    options: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_pre_ping": True}
    if not url.startswith("sqlite"):
        return create_engine(url, connect_args=PATIENCE, **options)
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        # IMMEDIATE: a writer waits for its turn at BEGIN instead of failing half way (and what
        # DBOS, which shares the engine, asks of its own).
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        if sqlite3.sqlite_version_info < (3, 42):  # Debian 12's
            # From Python 3.12 on DBOS asks unixepoch('subsec'), which is NULL there: answered in
            # whole seconds, as DBOS takes them on Python 3.11.
            connection.create_function("unixepoch", 1, lambda _modifier: int(time.time()))

    return engine


def migrate(engine: Engine, url: str) -> None:
    """Bring the schema up to date; StorageError when it is newer than this code."""
    config = alembic_config(engine)
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(config)
    if revision == scripts.get_current_head():
        return
    if revision and revision not in {script.revision for script in scripts.walk_revisions()}:
        place = make_url(url).render_as_string(hide_password=True)
        raise StorageError(
            f"{place} was written by a newer CodeLutra (schema {revision}): upgrade CodeLutra, "
            "or set CODELUTRA_HOME to another folder"
        )
    command.upgrade(config, "head")
