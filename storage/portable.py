"""The whole database in a form that any other takes: for backups, and to move to Postgres.

The portable form is a SQLite file with the same tables. The job queue's tables go along, so that
a run that was under way goes on where its rows are.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dbos import DBOS
from dbos._schemas import SCHEMA_PLACEHOLDER
from dbos._schemas.system_database import SystemSchema  # its tables, with their types
from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    column,
    func,
    make_url,
    select,
    table,
    text,
    update,
)
from sqlmodel import SQLModel

from storage import db, models, pair_models
from storage.at_work import DatabaseLock, worker_at_work
from storage.db import StorageError
from storage.lock import Worker, WorkerLock, find_worker

ROWS_AT_ONCE = 500
QUEUE_SCHEMA = "dbos"  # of the job queue on Postgres; SQLite has no schemas
WITH_PATHS = (models.Adapter, pair_models.PairImport)  # their `path` is below the home


def write_copy(path: Path) -> None:
    """The open database as one SQLite file, as it was at one moment, while others go on writing."""
    database = db.current()
    if database.engine.dialect.name == "sqlite":
        source = database.engine.raw_connection()
        try:
            with closing(sqlite3.connect(path)) as target:
                source.driver_connection.backup(target)  # type: ignore[union-attr]
                target.execute("PRAGMA journal_mode=DELETE")  # one file, with all that is in it
        finally:
            source.close()
        return
    with _opened(f"sqlite:///{path}") as target_engine:
        copy_rows(database.engine, target_engine)
    with closing(sqlite3.connect(path)) as written:
        written.execute("PRAGMA journal_mode=DELETE")


def adopt_copy(path: Path, *, old_home: str, home: Path) -> None:
    """Make the SQLite file `path`, written by `write_copy`, the database of `home`.

    Paths below `old_home` become paths below `home`. Raises StorageError, and changes nothing,
    when the file is damaged or newer than this code, or when Postgres (DATABASE_URL) has rows.
    """
    _check(path)
    url = db.database_url(home)
    with db.explained(home, f"sqlite:///{path}"), _opened(f"sqlite:///{path}") as copy:
        with copy.begin() as connection:
            for each in WITH_PATHS:
                _move_paths(connection, str(each.__tablename__), old_home, str(home))
        if not url.startswith("sqlite"):
            with db.explained(home, url), _opened(url) as target:
                copy_rows(copy, target)
            return
    with closing(sqlite3.connect(path)) as written:
        written.execute("PRAGMA journal_mode=DELETE")
    path.replace(home / db.SQLITE_FILE)


def move(home: Path, to_url: str) -> dict[str, int]:
    """Copy the database of `home` to the empty one at `to_url`; the number of rows, by table.

    No worker may live meanwhile. All or nothing: whatever fails, the target stays without rows.
    """
    to_url = db.with_driver(to_url)
    database = db.init(home)
    if make_url(to_url) == make_url(database.url):
        raise StorageError("this is the database that is in use already: name another one")
    with _nobody_at_work(home):
        DBOS.migrate(database.url)  # its tables may be of an older one, or not there yet
        with db.explained(home, to_url), _opened(to_url) as target:
            return copy_rows(database.engine, target)


@contextmanager
def _nobody_at_work(home: Path) -> Iterator[None]:
    """Holds what a worker of this home, and of another machine on this Postgres, would hold."""
    ours, everybodys = WorkerLock(home), DatabaseLock(db.current().url, home)
    try:
        if not (ours.acquire() and everybodys.acquire(lambda: True, lambda _: None)):
            worker = worker_at_work() or find_worker(home) or Worker(0)
            place = f" on {worker.host}" if worker.host else ""
            raise StorageError(
                f"a worker (pid {worker.pid}{place}) works on {home}: end the dashboard and the "
                "worker, then move; what is under way goes on afterwards"
            )
        yield
    finally:
        everybodys.release()
        ours.release()


def copy_rows(source: Engine, target: Engine) -> dict[str, int]:
    """Every row, in one transaction on either side, counted on both before it is committed."""
    ours, queue = _tables()
    with _reading(source) as rows, _of_queue(target).begin() as out:
        if any(_count(out, each) for each in [*ours, SystemSchema.workflow_status]):
            place = target.url.render_as_string(hide_password=True)
            raise StorageError(f"{place} is not empty: name a new database, nothing was written")
        for each in reversed(queue):
            out.execute(each.delete())  # what opening the empty database has left there
        numbers = {}
        for each in [*ours, *queue]:
            for chunk in rows.execute(select(each)).mappings().partitions(ROWS_AT_ONCE):
                out.execute(each.insert(), [dict(row) for row in chunk])
            numbers[each.name] = _count(out, each)
            if numbers[each.name] != (expected := _count(rows, each)):
                raise StorageError(
                    f"table {each.name}: {numbers[each.name]} rows arrived of {expected}; "
                    "nothing was written"
                )
        if out.dialect.name == "postgresql":
            _set_sequences(out, ours)
    return numbers


def is_empty(home: Path) -> bool:
    """Whether the database of `home` holds no run yet; makes no SQLite file."""
    url = db.database_url(home)
    if url.startswith("sqlite"):
        return not (home / db.SQLITE_FILE).exists()
    with db.explained(home, url), _opened(url) as engine, engine.connect() as connection:
        return not any(_count(connection, each) for each in _tables()[0])


def _tables() -> tuple[list[Table], list[Table]]:
    """Ours and the job queue's, each after those that it refers to."""
    ours = MetaData()
    for each in SQLModel.metadata.sorted_tables:
        for field in each.to_metadata(ours).columns:
            if isinstance(field.type, JSON):
                field.type = JSON(none_as_null=True)  # "no value" is not the JSON value null
    return ours.sorted_tables, SystemSchema.metadata_obj.sorted_tables


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    """A database with all tables in their newest form."""
    engine = db.make_engine(url)
    try:
        db.migrate(engine, url)
        DBOS.migrate(url)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _reading(source: Engine) -> Iterator[Connection]:
    """One moment of the source; on SQLite nobody else writes until the end."""
    options: dict[str, Any] = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    if source.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with _of_queue(source).connect().execution_options(**options) as connection:
        if source.dialect.name == "sqlite":
            connection.execute(text("BEGIN IMMEDIATE"))
        yield connection


def _of_queue(engine: Engine) -> Engine:
    schema = QUEUE_SCHEMA if engine.dialect.name == "postgresql" else None
    return engine.execution_options(schema_translate_map={SCHEMA_PLACEHOLDER: schema})


def _count(connection: Connection, each: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(each)) or 0)


def _set_sequences(out: Connection, tables: list[Table]) -> None:
    """The next row gets a number that no copied one has."""
    for each in tables:
        if (key := each.autoincrement_column) is not None:
            sequence = func.pg_get_serial_sequence(f'"{each.name}"', key.name)
            out.execute(select(func.setval(sequence, func.max(key))).select_from(each))


def _move_paths(connection: Connection, name: str, old: str, new: str) -> None:
    path = column("path", Text)
    connection.execute(
        update(table(name, path))
        .where(func.substr(path, 1, len(old) + 1) == old + "/")
        .values(path=new + func.substr(path, len(old) + 1))
    )


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection:
            answer = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise StorageError(f"the database in the backup is damaged ({answer}): use an older one")
