"""Rows with other people's column names, as rows of an own set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError
from codelutra.tasks.rows import read_json_rows
from codelutra.tasks.task import Task

TABLES = (".csv", ".parquet")
LISTS = ("tags", "tests")  # a column with one text is a list of one
Row = Mapping[str, Any]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Of JSON, CSV or Parquet; raises TaskError."""
    if path.suffix not in TABLES:
        return read_json_rows(path)
    import pandas

    try:
        if path.suffix == ".csv":
            table = pandas.read_csv(path, dtype=str, keep_default_na=False)
        else:
            table = pandas.read_parquet(path)
    except (OSError, ValueError, ImportError) as error:  # pyarrow's errors are ValueErrors
        raise TaskError(f"{path}: cannot be read ({error})") from error
    if table.empty:
        raise TaskError(f"{path}: no tasks in it")
    return [{name: plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """Arrays and numpy numbers as JSON would have them."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def own_rows(where: str, rows: Sequence[Row], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows with the fields of `Task`. `columns` has a column by field, or '=text' for a constant.

    Without a `task_id` tasks are numbered. Raises TaskError by row.
    """
    known = set(Task.model_fields)
    for field, column in columns.items():
        if field not in known:
            raise TaskError(f"there is no field {field!r} to map to; fields: {', '.join(known)}")
        if not column.startswith("=") and column not in rows[0]:
            there = ", ".join(map(str, rows[0]))
            raise TaskError(f"{where}: no column {column!r}; columns: {there}")
    return [
        {"task_id": f"row-{number}", **own_row(row, columns, f"{where}, row {number}")}
        for number, row in enumerate(rows, 1)
    ]


def own_row(row: Row, columns: Mapping[str, str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, column in columns.items():
        value = column[1:] if column.startswith("=") else row.get(column)
        if value in (None, "") and field in ("prompt", "gold", "kind"):
            raise TaskError(f"{where}: column {column!r}, for `{field}`, is empty")
        if value is not None:
            found[field] = as_field(field, value)
    return found


def as_field(field: str, value: Any) -> Any:
    if field in LISTS:
        return value if isinstance(value, list) else [str(value)]
    if field == "task_id":
        return str(value)
    return (
        {"test": "heldout", "validation": "heldout"}.get(value, value)
        if field == "split"
        else value
    )
