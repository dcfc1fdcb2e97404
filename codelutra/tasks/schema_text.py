"""A SQLite database as text for a prompt: tables, columns, keys, a few values of each column."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from codelutra.errors import TaskError

SAMPLE_VALUES = 3
MAX_VALUE = 40  # characters of a sample value
CHARS_A_TOKEN = 3  # of a schema: short names and punctuation; to be on the safe side
MAX_TOKENS = 2000


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    is_key: bool
    values: list[str]  # as SQL literals


@dataclass(frozen=True)
class TableSchema:
    name: str
    columns: list[Column]
    references: list[str]  # FOREIGN KEY clauses


def schema_text(database: Path, max_tokens: int = MAX_TOKENS) -> str:
    """CREATE TABLE statements with sample values, fewer of them where the budget asks for that.

    Raises TaskError when the file is no database, or when the bare columns exceed the budget.
    """
    tables = read_schema(database)
    for values in range(SAMPLE_VALUES, -1, -1):
        text = "\n".join(create_table(table, values) for table in tables)
        if len(text) <= max_tokens * CHARS_A_TOKEN:
            return text
    text = "\n".join(bare_table(table) for table in tables)
    if len(text) <= max_tokens * CHARS_A_TOKEN:
        return text
    raise TaskError(
        f"{database}: its schema alone is about {len(text) // CHARS_A_TOKEN:,} tokens, more than "
        f"the {max_tokens:,} allowed"
    )


def read_schema(database: Path) -> list[TableSchema]:
    try:
        with closing(open_readonly(database)) as connection:
            names = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' "
                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
            ).fetchall()
            return [read_table(connection, name) for (name,) in names]
    except sqlite3.Error as error:
        raise TaskError(f"{database}: not a SQLite database that can be read ({error})") from error


def open_readonly(database: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(database.absolute()))}?mode=ro&immutable=1"
    connection = sqlite3.connect(uri, uri=True)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def read_table(connection: sqlite3.Connection, name: str) -> TableSchema:
    columns = [
        Column(column, kind, key > 0, sample_values(connection, name, column))
        for _, column, kind, _, _, key in connection.execute(f"PRAGMA table_info({quoted(name)})")
    ]
    rows = connection.execute(f"PRAGMA foreign_key_list({quoted(name)})").fetchall()
    return TableSchema(name, columns, [reference(row) for row in rows])


def reference(row: Sequence[str | None]) -> str:
    table, mine, theirs = row[2], row[3], row[4]
    target = f"{identifier(str(table))}" + (f" ({identifier(theirs)})" if theirs else "")
    return f"FOREIGN KEY ({identifier(str(mine))}) REFERENCES {target}"


def sample_values(connection: sqlite3.Connection, table: str, column: str) -> list[str]:
    """The first different values, as they stand in the file."""
    query = (
        f"SELECT DISTINCT {quoted(column)} FROM (SELECT {quoted(column)} FROM {quoted(table)} "
        f"WHERE {quoted(column)} IS NOT NULL LIMIT 1000) LIMIT {SAMPLE_VALUES}"
    )
    return [literal(value) for (value,) in connection.execute(query)]


def literal(value: object) -> str:
    if isinstance(value, bytes):
        return f"x'{value[: MAX_VALUE // 2].hex()}'"
    if not isinstance(value, str):
        return str(value)
    text = " ".join(value.split())
    text = text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def identifier(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else quoted(name)


def create_table(table: TableSchema, values: int) -> str:
    lines = []
    keys = [identifier(column.name) for column in table.columns if column.is_key]
    for column in table.columns:
        key = " PRIMARY KEY" if column.is_key and len(keys) == 1 else ""
        shown = ", ".join(column.values[:values])
        kind = f" {column.type}" if column.type else ""
        lines.append((f"  {identifier(column.name)}{kind}{key}", f"  -- {shown}" if shown else ""))
    if len(keys) > 1:
        lines.append((f"  PRIMARY KEY ({', '.join(keys)})", ""))
    lines += [(f"  {clause}", "") for clause in table.references]
    last = len(lines) - 1
    body = "\n".join(
        f"{text}{',' if place < last else ''}{remark}" for place, (text, remark) in enumerate(lines)
    )
    return f"CREATE TABLE {identifier(table.name)} (\n{body}\n);"


def bare_table(table: TableSchema) -> str:
    return f"{identifier(table.name)} ({', '.join(identifier(c.name) for c in table.columns)})"
