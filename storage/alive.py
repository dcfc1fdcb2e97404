"""Whether this lab is well, for a monitor: the database answers and a worker lives."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout

from storage import db
from storage.at_work import worker_at_work


def health() -> tuple[bool, dict[str, Any]]:
    """(well, facts without paths, addresses or secrets)."""
    database = db.current()
    try:
        with db.open_session() as session:
            session.connection().execute(text("SELECT count(*) FROM run"))
        is_open = True
    except (db.StorageError, DBAPIError, SQLAlchemyTimeout):
        is_open = False
    worker = worker_at_work()
    facts = {
        "database": database.engine.dialect.name if is_open else "unavailable",
        "worker": "none" if worker is None else "busy" if worker.is_executing else "idle",
    }
    return is_open and worker is not None, facts
