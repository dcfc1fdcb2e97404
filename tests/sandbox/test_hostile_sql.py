"""Hostile and bad SQL: each query gets its outcome, the database stays as it was."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra.sandbox import ExecutionResult, Program, Sandbox

Run = Callable[[str], ExecutionResult]


FORBIDDEN = [
    "DELETE FROM items",
    "UPDATE items SET id = 0",
    "INSERT INTO items VALUES (1, 2, 3, 4)",
    "DROP TABLE items",
    "CREATE TABLE x (a)",
    "ALTER TABLE items ADD COLUMN x",
    "CREATE TEMP TABLE items AS SELECT 1",
    "CREATE TEMP VIEW items AS SELECT 1",
    "ATTACH 'x.db' AS x",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'x.db'",
    "PRAGMA query_only = 0",
    "PRAGMA writable_schema = 1",
    "SELECT * FROM pragma_table_info('items')",
    "SELECT * FROM pragma_database_list",
    "BEGIN",
    "SAVEPOINT x",
    "REINDEX",
    "ANALYZE",
    "SELECT random()",
    "SELECT hex(RANDOMBLOB(3))",
    "SELECT name FROM items ORDER BY random()",
    "SELECT datetime('now')",
    "SELECT date(lower('NOW'))",
    "SELECT strftime('%s')",
    "SELECT julianday()",
    "SELECT CURRENT_TIMESTAMP",
    "SELECT count(*) FROM items WHERE name < CURRENT_DATE",
]
RUNTIME_ERRORS = [
    "",
    " ;; ",
    "-- only a comment",
    "/* one */ -- two",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM items",
    "SELECT 1 /* ; */; -- x\n SELECT 2",
    "SELECT * FROM absent",
    "SELECT absent FROM items",
    'SELECT "absent" FROM items',
    "SELECT absent(1)",
    "SELECT 1\0",
    "SELECT * FROM items a, items b, items c",
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r",
    "SELECT printf('%.*c', 2000000000, 'x')",
    "SELECT zeroblob(2000000000)",
    "SELECT replace(hex(zeroblob(100000)), '0', hex(zeroblob(1000)))",
    "SELECT hex(zeroblob(1000000)) FROM items",
    "SELECT cast(x'ff' AS TEXT)",
    "SELECT " + "1+" * 300 + "1",
    "SELECT " + "1," * 300 + "1",
]
TIMEOUTS = [
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
    "SELECT count(*) FROM items a, items b, items c, items d, items e",
    "SELECT a.id FROM items a, items b, items c, items d ORDER BY a.price + d.price LIMIT 1",
    "SELECT instr(zeroblob(4000000), x'00' || zeroblob(2000000) || x'01')",
]
SYNTAX_ERRORS = ["SELEC 1", "SELECT (", "SELECT 'abc", "SELECT FROM items", "SELECT 1 2", "hello"]


@pytest.mark.parametrize("source", FORBIDDEN)
def test_is_forbidden(source: str, run_sql: Run) -> None:
    result = run_sql(source)
    assert result.outcome == "forbidden", result
    assert result.detail


@pytest.mark.parametrize("source", RUNTIME_ERRORS, ids=range(len(RUNTIME_ERRORS)))
def test_is_a_runtime_error(source: str, run_sql: Run) -> None:
    result = run_sql(source)
    assert result.outcome == "runtime_error", result
    assert result.detail


@pytest.mark.parametrize("name", ["load_extension('x')", "readfile('x')", "writefile('x', 'y')"])
def test_file_functions_do_not_run(name: str, run_sql: Run) -> None:
    assert run_sql(f"SELECT {name}").outcome in ("forbidden", "runtime_error")


@pytest.mark.parametrize("source", TIMEOUTS)
def test_is_a_timeout(source: str, run_sql_hastily: Run) -> None:
    result = run_sql_hastily(source)
    assert (result.outcome, result.detail) == ("timeout", "used more than 0.3 s of CPU time")


@pytest.mark.parametrize("source", SYNTAX_ERRORS)
def test_is_a_syntax_error(source: str, run_sql: Run) -> None:
    assert run_sql(source).outcome == "syntax_error"


def test_values_come_back_with_their_types(run_sql: Run) -> None:
    table = run_sql("SELECT 1, 1.0, '1', x'31', NULL, 9e999, 'ü', -9223372036854775808").value
    assert list(map(repr, table.rows[0])) == list(
        map(repr, (1, 1.0, "1", b"1", None, float("inf"), "ü", -(2**63)))
    )
    empty = run_sql("SELECT id, name FROM items WHERE 0").value
    assert (empty.columns, empty.rows) == (2, [])


def test_a_missing_database_is_our_fault_and_named(sandbox: Sandbox, tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_text("no database " * 100)
    for path in (tmp_path / "none.db", junk, tmp_path):
        result = sandbox.execute([Program("sql", "SELECT 1", str(path))])[0]
        assert result.outcome == "harness_error"
        assert str(path) in result.detail


def test_a_database_written_anew_is_opened_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    path, seen = tmp_path / "x.db", []
    for value in (1, 2):
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path)
        connection.execute(f"CREATE TABLE t AS SELECT {value} AS a")
        connection.commit()
        connection.close()
        result = sandbox.execute([Program("sql", "SELECT a FROM t", str(path))])[0]
        seen += result.value.rows
    assert seen == [(1,), (2,)]
