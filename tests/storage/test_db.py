"""The schema, its migration, and the one-line errors of a database that cannot be used."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from storage import db, queries
from storage.db import StorageError


def add_run() -> None:
    with db.open_session() as session:
        queries.create_run(session, name="kept", config={}, num_train=1, num_heldout=1)


def is_declared(_: object, name: str, *__: object) -> bool:
    """All but the full-text index, which each database has in its own way."""
    return not name.startswith(("pairwords", "ix_preferencepair_words"))


def test_the_migration_makes_the_tables_of_the_models(database: Path) -> None:
    db.init(database)
    with db.current().engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(
                connection, opts={"compare_type": True, "include_object": is_declared}
            ),
            SQLModel.metadata,
        )
    assert differences == []


def test_an_old_sqlite_tells_the_time_to_what_dbos_makes_on_newer_pythons(home: Path) -> None:
    """Its tables have this default on Python 3.12 and newer; before SQLite 3.42 it is NULL."""
    db.init(home)
    with db.current().engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE queue (at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000), n TEXT)"
        )
        connection.exec_driver_sql("INSERT INTO queue (n) VALUES ('a')")
        at = connection.exec_driver_sql("SELECT at FROM queue").scalar_one()
    assert abs(at / 1000 - time.time()) < 60


def test_opening_again_keeps_the_rows(database: Path) -> None:
    db.init(database)
    add_run()
    db._current = None
    db.init(database)
    with db.open_session() as session:
        assert queries.count_runs(session) == 1


def test_an_older_schema_keeps_its_samples(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        db.init(database)
    with db.current().engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO run VALUES (1, 'old', '{}', 1, 1, 1, 'run-1-1', '2026-01-01')"
        )
        connection.exec_driver_sql("INSERT INTO iteration (id, run_id, number) VALUES (1, 1, 1)")
        connection.exec_driver_sql(
            "INSERT INTO sample VALUES (1, 1, 'train', 'a', 0, 'x', 'correct', '', 0.5)"
        )
    db._current = None
    db.init(database)
    with db.open_session() as session:
        (row,) = queries.samples(session, iteration_id=1, split="train")
    assert (row.completion, row.verdict, row.flaky, row.output) == ("x", "correct", False, "")
    assert row.extraction == ""


def test_sqlite_is_in_wal_mode(home: Path) -> None:
    db.init(home)
    with db.current().engine.connect() as connection:
        modes = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert modes == ["wal", 1, 1, 30_000]


def test_two_processes_may_start_together(database: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from storage import jobs; "
        "jobs.prepare(Path(sys.argv[1]))",
        str(database),
    ]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in both] == ["", ""]
    assert [process.returncode for process in both] == [0, 0]


def test_a_migration_cut_short_leaves_nothing_behind(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", fail)
        with pytest.raises(KeyboardInterrupt):
            db.init(database)
    db.init(database)
    add_run()


def test_a_newer_schema_is_refused(database: Path) -> None:
    db.init(database)
    with db.current().engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    db._current = None
    with pytest.raises(StorageError, match=r"newer CodeLutra \(schema 9999\): upgrade"):
        db.init(database)


def test_a_file_that_is_no_database(home: Path) -> None:
    home.mkdir()
    (home / "codelutra.sqlite").write_text("not a database, " * 1000)
    with pytest.raises(StorageError, match="is not a SQLite database or is damaged"):
        db.init(home)


def test_a_folder_that_cannot_be_made(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(StorageError, match=r"cannot write to .*CODELUTRA_HOME"):
        db.init(home / "below")


def fill_the_disk() -> None:
    with db.open_session() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages}")
        queries.add_log(session, run_id=1, message="x" * 100_000)


def test_a_full_disk_is_told_and_keeps_what_is_finished(home: Path) -> None:
    db.init(home)
    add_run()
    with pytest.raises(StorageError, match="no space left"):
        fill_the_disk()
    with db.open_session() as session:
        assert queries.count_runs(session) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres://me:secret@127.0.0.1:1/lab", r"cannot reach postgresql\+psycopg://me:\*\*\*@"),
        ("nonsense", "DATABASE_URL is not a database URL"),
        ("oracle+nothing://host/name", "DATABASE_URL is not a database URL"),
    ],
)
def test_a_database_url_that_leads_nowhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(StorageError, match=message) as caught:
        db.init(home)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_databases_refuse_is_kept_readable(database: Path) -> None:
    db.init(database)
    add_run()
    with db.open_session() as session:
        queries.add_log(session, run_id=1, message="a\0b\ud800c é")
    with db.open_session() as session:
        assert [line.message for line in queries.log_lines(session, run_id=1)] == ["a\ufffdb?c é"]
