"""Hostile and bad SQL: each query gets its outcome, the database stays as it was."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra.sandbox import ExecutionResult, Program, Sandbox
from tests.sandbox.hostile import Hostile, Range, sql_programs
from tests.sandbox.hostile_sql_more import VALUES

Run = Callable[[str], ExecutionResult]


@pytest.mark.parametrize("program", list(sql_programs()), ids=lambda program: program.name)
def test_gets_its_outcome_and_leaves_no_trace(program: Hostile, field: Range) -> None:
    assert field.faults(program) == []


@pytest.mark.parametrize("name", ["load_extension('x')", "readfile('x')", "writefile('x', 'y')"])
def test_file_functions_do_not_run(name: str, run_sql: Run) -> None:
    assert run_sql(f"SELECT {name}").outcome in ("forbidden", "runtime_error")


@pytest.mark.parametrize("source", VALUES)
def test_what_only_looks_hostile_gets_its_answer(source: str, run_sql: Run) -> None:
    assert run_sql(source).value.rows == VALUES[source]


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
