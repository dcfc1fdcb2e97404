"""What a prompt says of a database."""

import sqlite3
from pathlib import Path

import pytest

from codelutra.errors import TaskError
from codelutra.tasks.schema_text import schema_text
from tests.tasks.published import write_database

WHOLE = """CREATE TABLE singer (
  id INTEGER PRIMARY KEY,  -- 1, 2
  name TEXT,  -- 'Ann', 'Bob'
  "home town" TEXT  -- 'O''Hara'
);
CREATE TABLE song (
  singer INTEGER,
  place INTEGER,
  title TEXT,
  PRIMARY KEY (singer, place),
  FOREIGN KEY (singer) REFERENCES singer (id)
);"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a #1?" / "music.sqlite"
    write_database(path)
    return path


def test_tables_keys_and_values(database: Path) -> None:
    assert schema_text(database) == WHOLE


def test_it_is_sql_that_makes_the_same_tables(database: Path) -> None:
    sqlite3.connect(":memory:").executescript(schema_text(database))


def test_a_small_budget_costs_values_first_then_types(database: Path) -> None:
    without = schema_text(database, max_tokens=80)
    assert "--" not in without
    assert "FOREIGN KEY" in without
    bare = schema_text(database, max_tokens=25)
    assert bare == 'singer (id, name, "home town")\nsong (singer, place, title)'
    with pytest.raises(TaskError, match="its schema alone is about"):
        schema_text(database, max_tokens=5)


def test_values_are_shortened_and_text_of_any_encoding_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a TEXT, b BLOB)")
    connection.execute("INSERT INTO t VALUES (?, ?)", ("long " * 50, b"\x00\xff"))
    connection.execute("INSERT INTO t VALUES (CAST(x'e9' AS TEXT), NULL)")
    connection.commit()
    connection.close()
    text = schema_text(path)
    assert "…'" in text
    assert "\ufffd" in text
    assert "x'00ff'" in text
    assert max(map(len, text.split("\n"))) < 120


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_text("no database " * 100)
    with pytest.raises(TaskError, match=r"x\.sqlite: not a SQLite database"):
        schema_text(path)
