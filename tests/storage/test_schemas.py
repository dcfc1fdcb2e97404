"""A database of every schema there ever was opens in this version with its rows."""

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, insert
from sqlalchemy.schema import MetaData, Table

from storage import db, portable, queries
from storage.models import utc_now

REVISIONS = [
    script.revision
    for script in ScriptDirectory(str(db.MIGRATIONS)).walk_revisions()  # newest first
]
ROWS = {
    "run": {"name": "kept", "config": {}, "num_train": 1, "num_heldout": 1, "attempt": 1,
            "workflow_id": "run-1-1"},
    "iteration": {"run_id": 1, "number": 1},
    "sample": {"iteration_id": 1, "split": "train", "task_id": "a", "index": 0, "seconds": 0.5,
               "completion": "x = 1", "verdict": "correct", "detail": ""},
    "preferencepair": {"iteration_id": 1, "task_id": "a", "chosen": "x = 1", "rejected": "x = 2",
                       "chosen_index": 0},
    "review": {"pair_id": 1, "action": "veto", "reviewer": "ann", "reason": ""},
}  # fmt: skip


def fill(engine: Engine) -> None:
    """A row in each of the oldest tables, with the columns that they had then."""
    for name, values in ROWS.items():
        table = Table(name, MetaData(), autoload_with=engine)
        now = {"created_at": utc_now()} if "created_at" in table.columns else {}
        with engine.begin() as connection:
            connection.execute(insert(table).values(id=1, **values, **now))


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_each_schema_is_upgraded_with_its_rows(revision: str, home: Path) -> None:
    home.mkdir()
    engine = db.make_engine(db.database_url(home))
    command.upgrade(db.alembic_config(engine), revision)
    fill(engine)
    engine.dispose()
    db.init(home)
    with db.open_session() as session:
        (run,) = queries.list_runs(session)
        (sample,) = queries.samples(session, iteration_id=1, split="train")
        (pair,) = queries.pairs(session, iteration_id=1)
        ours = [each.name for each in portable._tables()[0]]
        ask = session.connection().exec_driver_sql
        num_rows = sum(ask(f"SELECT count(*) FROM {name}").scalar_one() for name in ours)
        is_found = ask("SELECT rowid FROM pairwords WHERE pairwords MATCH 'x'").scalar() == 1
    assert (run.name, sample.completion, pair.rejected) == ("kept", "x = 1", "x = 2")
    assert num_rows == len(ROWS)
    assert is_found or revision >= "0007"  # from then on the app itself wrote the words
