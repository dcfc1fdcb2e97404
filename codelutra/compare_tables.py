"""Compares two SQL answers. Pure; returns None when equal, else one line for a person."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from codelutra.evidence import count, expected_got, show_cell, show_row
from codelutra.sandbox.sql_runner import Table

REL_TOL, ABS_TOL = 1e-6, 1e-9
MAX_SEARCH = 200  # rows of one group tried against each other when sorting does not pair them
MAX_ROW = 110  # characters of a row in a message; of a wider one only a cell is shown
Row = tuple[Any, ...]


def tables_difference(expected: Table, got: Table, ordered: bool) -> str | None:
    """Positions count, names do not; a multiset of rows unless `ordered`."""
    if expected == got:  # tuples of cells: what Python calls equal here, so does SQL
        return None
    sizes = sizes_difference(expected, got)
    if sizes is not None:
        return sizes
    pairs = enumerate(zip(expected.rows, got.rows, strict=True), 1)
    first = next(((number, pair) for number, pair in pairs if not rows_equal(*pair)), None)
    if first is None:
        return None
    difference = multiset_difference(expected.rows, got.rows)
    if difference is not None or not ordered:
        return difference
    number, (left, right) = first
    return f"wrong order; {row_difference(left, right, f'row {number}')}"


def sizes_difference(expected: Table, got: Table) -> str | None:
    if expected.columns != got.columns:
        return f"expected {count(expected.columns, 'column')}, got {got.columns}"
    if len(expected.rows) == len(got.rows):
        return None
    sizes = f"expected {count(len(expected.rows), 'row')}, got {len(got.rows):,}"
    if not got.rows:
        return f"{sizes}: {show_row(expected.rows[0])} is missing"
    left, right = Counter(map(rough, expected.rows)), Counter(map(rough, got.rows))
    missing, extra = left - right, right - left
    for row in expected.rows:
        if rough(row) in missing:
            return f"{sizes}: {show_row(row)} is missing"
    row = next(row for row in got.rows if rough(row) in extra)
    return f"{sizes}: {show_row(row)} is one too many"


def cells_equal(left: Any, right: Any) -> bool:
    """SQLite values: numbers compare as numbers, everything else within its own type."""
    kinds = type(left), type(right)
    if kinds == (int, int):
        return bool(left == right)
    if kinds[0] in (int, float) and kinds[1] in (int, float):
        return floats_equal(left, right)
    return kinds[0] is kinds[1] and bool(left == right)


def floats_equal(
    left: float, right: float, rel_tol: float = REL_TOL, abs_tol: float = ABS_TOL
) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=rel_tol, abs_tol=abs_tol)


def rows_equal(left: Row, right: Row) -> bool:
    return len(left) == len(right) and all(map(cells_equal, left, right))


def multiset_difference(expected: Sequence[Row], got: Sequence[Row]) -> str | None:
    """Takes out what is equal to the bit, then pairs the rest group by group within tolerance."""
    left, right = Counter(map(typed, expected)), Counter(map(typed, got))
    missing, extra = left - right, right - left
    groups: dict[Row, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((missing, extra)):
        for row in rows.elements():
            cells = tuple(cell for _, cell in row)
            groups[fixed_part(cells)][side].append(cells)
    for unpaired_left, unpaired_right in groups.values():
        pair_off(unpaired_left, unpaired_right)
    lost = next((sides[0][0] for sides in groups.values() if sides[0]), None)
    found = [row for sides in groups.values() for row in sides[1]]
    if lost is None:  # equally many rows: then nothing else was found either
        return None
    return row_difference(lost, max(found, key=lambda row: sum(map(cells_equal, lost, row))))


def typed(row: Row) -> Row:
    """A key that keeps 1 and 1.0 apart; NaN cannot come out of SQLite."""
    return tuple((type(cell), cell) for cell in row)


def fixed_part(row: Row) -> Row:
    """What must agree exactly in two rows that are equal within tolerance."""
    return tuple("number" if type(cell) in (int, float) else (type(cell), cell) for cell in row)


def pair_off(left: list[Row], right: list[Row]) -> None:
    """Removes rows that are equal within tolerance from both lists."""
    left.sort(key=rounded)
    right.sort(key=rounded)
    paired = [place for place, pair in enumerate(zip(left, right)) if rows_equal(*pair)]  # noqa: B905
    for place in reversed(paired):
        del left[place], right[place]
    if len(left) > MAX_SEARCH:
        return
    for row in left[:]:  # rounding may have sorted two neighbours differently
        match = next((place for place, other in enumerate(right) if rows_equal(row, other)), None)
        if match is not None:
            left.remove(row)
            del right[match]


def rounded(row: Row) -> Row:
    return tuple(float(f"{cell:.5e}") for cell in row if type(cell) in (int, float))


def rough(row: Row) -> Row:
    """Alike for rows that are equal but for the last digits; good enough for a message."""
    return fixed_part(row), rounded(row)


def row_difference(expected: Row, got: Row, name: str = "") -> str:
    """Two rows that differ; of wide ones only the first cell that does."""
    whole = show_row(expected), show_row(got)
    place = next((p for p, pair in enumerate(zip(expected, got)) if not cells_equal(*pair)), None)  # noqa: B905
    if place is None or max(map(len, whole)) <= MAX_ROW:
        start = f"{name}: expected" if name else "expected a row"
        return f"{start} {whole[0]}, got {whole[1]}"
    cells = show_cell(expected[place]), show_cell(got[place])
    return f"{name or 'a row'} differs in column {place + 1}: {expected_got(*cells)}"
