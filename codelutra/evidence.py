"""How a value looks in the one line of evidence that a verdict carries. Pure text for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from codelutra.sandbox.decoding import Node
from codelutra.sandbox.sql_runner import Table

MAX_SHOWN = 80  # characters of one value
CONTEXT = 20  # characters shown before the first difference of two long values
EPOCH = datetime(1970, 1, 1)
BRACKETS = {
    "list": ("[", "]"),
    "tuple": ("(", ")"),
    "set": ("{", "}"),
    "frozenset": ("frozenset({", "})"),
}


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def clip(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def expected_got(expected: str, got: str) -> str:
    """Both values, clipped around the place where they begin to differ."""
    pairs = enumerate(zip(expected, got, strict=False))
    shorter = min(len(expected), len(got))
    same = next((place for place, (left, right) in pairs if left != right), shorter)
    if same > MAX_SHOWN - CONTEXT:
        start = same - CONTEXT
        expected, got = (f"…{text[start:]}" for text in (expected, got))
    return f"expected {clip(expected)}, got {clip(got)}"


def show_cell(cell: object) -> str:
    return "NULL" if cell is None else repr(cell)


def show_row(row: Sequence[Any]) -> str:
    return "(" + ", ".join(clip(show_cell(cell)) for cell in row) + ")"


def show_answer(value: Any) -> str:
    """A whole answer in a few words."""
    if not isinstance(value, Table):
        return clip(show(value))
    if len(value.rows) == 1:
        return f"1 row {clip(show_row(value.rows[0]))}"
    return f"{count(len(value.rows), 'row')} of {count(value.columns, 'column')}"


def show(node: Node) -> str:
    """A Python answer in short: only the beginning of what is long."""
    if not isinstance(node, list):
        return repr(node)
    match str(node[0]), *node[1:]:
        case ("list" | "tuple" | "set" | "frozenset") as tag, items:
            return show_items(tag, items)
        case "dict", items:
            pairs = [f"{show(key)}: {show(value)}" for key, value in items[:5]]
            return "{" + ", ".join(pairs + ["…"] * (len(items) > 5)) + "}"
        case "ndarray", _, shape, _:
            return f"an array of shape {tuple(shape)}"
        case "series", _, _, values:
            return f"a series of {count(len(values), 'value')}"
        case "categorical", _, values:
            return f"a categorical of {count(len(values), 'value')}"
        case "frame", _, index, columns:
            return f"a frame of {show_shape(len(index[1][0][1]), len(columns))}"
        case "index", levels:
            return f"an index of {count(len(levels[0][1]), 'value')}"
        case "bytes", digits:
            return repr(bytes.fromhex(digits))
        case "complex", real, imaginary:
            return repr(complex(real, imaginary))
        case "interval", closed, left, right:
            first = "[" if closed in ("left", "both") else "("
            last = "]" if closed in ("right", "both") else ")"
            return f"interval {first}{show(left)}, {show(right)}{last}"
        case "datetime64", ticks:
            return f"datetime64 {show_time(ticks)}"
        case "timestamp", zone, ticks:
            return f"timestamp {show_time(ticks)}{'' if zone is None else f' UTC in {zone}'}"
        case ("timedelta64" | "pd_timedelta") as tag, ticks:
            return f"{tag.removeprefix('pd_')} {show_span(ticks)}"
        case "timedelta", microseconds:
            return f"timedelta {show_span(microseconds * 1000)}"
        case tag, *fields:
            return " ".join([tag, *map(str, fields)])
    raise AssertionError("the last pattern takes everything")


def show_items(tag: str, items: Sequence[Node]) -> str:
    if tag == "set" and not items:
        return "set()"
    first, last = BRACKETS[tag]
    parts = [show(item) for item in items[:5]] + ["…"] * (len(items) > 5)
    comma = "," if tag == "tuple" and len(items) == 1 else ""
    return first + ", ".join(parts) + comma + last


def show_shape(rows: int, columns: int) -> str:
    return f"{count(rows, 'row')} and {count(columns, 'column')}"


def show_time(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "NaT"
    try:
        when = EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return f"{nanoseconds} ns after 1970"
    rest = nanoseconds % 1000
    return when.isoformat(" ") + (f" + {rest} ns" if rest else "")


def show_span(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return "NaT"
    rest = nanoseconds % 1000
    try:
        return str(timedelta(microseconds=nanoseconds // 1000)) + (f" + {rest} ns" if rest else "")
    except OverflowError:
        return f"{nanoseconds} ns"
