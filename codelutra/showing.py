"""What a program's answer looks like, whole as far as it fits a screen: a table, or text."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from codelutra.evidence import show, show_cell
from codelutra.sandbox.decoding import Node
from codelutra.sandbox.sql_runner import Table

MAX_ROWS, MAX_COLUMNS, MAX_CELL, MAX_TEXT = 50, 20, 200, 2_000


def shown(value: Any) -> dict[str, Any]:
    """`rows` of text with `head` (empty where columns have no names), or `text`; and a `digest`
    by which two whole answers are told apart."""
    if isinstance(value, Table):
        found = _table([], [list(row) for row in value.rows], value.columns)
    elif isinstance(value, list) and value and value[0] == "frame":
        _, head, index, columns = value
        cells = [index[1][0][1], *(values for _, values in columns)]
        rows = [list(row) for row in zip(*cells, strict=False)]
        found = _table(["", *map(_name, head[1][0][1])], rows, len(cells))
    elif isinstance(value, list) and value and value[0] == "series":
        _, index, _, values = value
        rows = [list(row) for row in zip(index[1][0][1], values, strict=False)]
        found = _table(["", "value"], rows, 2)
    else:
        found = {"text": _clip(_whole(value), MAX_TEXT)}
    return {**found, "digest": _digest(value)}


def _table(head: list[str], rows: list[list[Any]], columns: int) -> dict[str, Any]:
    cut = [[_clip(show_cell(cell), MAX_CELL) for cell in row[:MAX_COLUMNS]] for row in rows]
    return {
        "head": [_clip(name, MAX_CELL) for name in head[:MAX_COLUMNS]],
        "rows": cut[:MAX_ROWS],
        "num_rows": len(rows),
        "num_columns": columns,
    }


def _whole(node: Node) -> str:
    """As `show`, but with every item of the outermost container."""
    if isinstance(node, list) and node and node[0] in ("list", "tuple", "set", "frozenset"):
        return "\n".join([f"{node[0]} of {len(node[1])}:", *map(show, node[1])])
    if isinstance(node, list) and node and node[0] == "dict":
        return "\n".join(f"{show(key)}: {show(item)}" for key, item in node[1])
    if isinstance(node, list) and node and node[0] == "ndarray":
        return f"{show(node)}: {', '.join(map(str, node[3]))}"
    return show(node)


def _name(value: Any) -> str:
    return value if isinstance(value, str) else show_cell(value)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _digest(value: Any) -> str:
    plain: Any = value
    if isinstance(value, Table):
        plain = sorted(map(_row, value.rows))
    return hashlib.sha256(json.dumps(plain, default=repr).encode()).hexdigest()[:16]


def _row(cells: Sequence[Any]) -> str:
    return json.dumps([show_cell(cell) for cell in cells])
