"""Alembic's door: runs the migrations on the engine that `storage.db` hands over."""

from alembic import context
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from storage import compare_models, models, pair_models

assert models.Run.__table__ is not None  # type: ignore[attr-defined]  # the tables are declared
assert pair_models.PreferencePair.__table__ is not None  # type: ignore[attr-defined]
assert compare_models.Comparison.__table__ is not None  # type: ignore[attr-defined]

engine: Engine = context.config.attributes["engine"]
with engine.begin() as connection:
    if engine.dialect.name == "postgresql":  # other machines may start at the same moment
        connection.execute(text("SELECT pg_advisory_xact_lock(2411051990)"))
    else:  # sqlite3 opens no transaction for DDL; without one a kill would leave half a schema
        connection.execute(text("BEGIN IMMEDIATE"))
    context.configure(
        connection=connection, target_metadata=SQLModel.metadata, transactional_ddl=True
    )
    context.run_migrations()
