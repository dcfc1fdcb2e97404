"""Two SQL answers: what counts as equal, and the line that says what does not."""

from collections.abc import Sequence
from typing import Any

import pytest

from codelutra.compare_tables import tables_difference
from codelutra.sandbox.sql_runner import Table


def difference(expected: Sequence[Any], got: Sequence[Any], ordered: bool = False) -> str | None:
    return tables_difference(
        *(Table(len(rows[0]), list(rows)) for rows in (expected, got)), ordered
    )


EQUAL_ROWS = {
    "order": ([(1,), (2,)], [(2,), (1,)]),
    "int and float": ([(1, 2.0)], [(1.0, 2)]),
    "last bits": ([(0.6,)], [(0.6000000000000001,)]),
    "tolerance": ([(1e6,)], [(1e6 + 0.5,)]),
    "tiny": ([(0.0,)], [(1e-10,)]),
    "infinity": ([(float("inf"),)], [(float("inf"),)]),
    "null": ([(None,)], [(None,)]),
    "last bits decide the sort": (
        [(0.6, "a"), (0.6000000000000001, "b")],
        [(0.6, "b"), (0.6000000000000001, "a")],
    ),
    "a rounding edge decides the sort": (
        [(0.50000049999, 2.0), (0.5000005, 1.0)],
        [(0.5000005, 2.0), (0.50000049999, 1.0)],
    ),
    "mixed types": ([(None,), ("a",), (1,), (b"x",)], [(b"x",), (1,), (None,), ("a",)]),
}
UNEQUAL_ROWS = {
    "multiplicity": ([(1,), (1,), (2,)], [(1,), (2,), (2,)]),
    "one more": ([(1,)], [(1,), (1,)]),
    "text and number": ([(1,)], [("1",)]),
    "bytes and text": ([("1",)], [(b"1",)]),
    "null and zero": ([(None,)], [(0,)]),
    "null and empty": ([(None,)], [("",)]),
    "column order": ([(1, "a")], [("a", 1)]),
    "extra column": ([(1,)], [(1, 1)]),
    "beyond tolerance": ([(1.0,)], [(1.00001,)]),
    "big ints": ([(2**53,)], [(2**53 + 1,)]),
    "case": ([("A",)], [("a",)]),
}


@pytest.mark.parametrize("name", EQUAL_ROWS)
def test_equal_rows_differ_neither_way(name: str) -> None:
    expected, got = EQUAL_ROWS[name]
    assert difference(expected, got) is None
    assert difference(got, expected) is None


@pytest.mark.parametrize("name", UNEQUAL_ROWS)
def test_unequal_rows_differ_both_ways(name: str) -> None:
    expected, got = UNEQUAL_ROWS[name]
    assert difference(expected, got)
    assert difference(got, expected)


def test_order_counts_when_it_is_asked_for() -> None:
    rows = [(1,), (2,)], [(2,), (1,)]
    assert difference(*rows, ordered=True) == "wrong order; row 1: expected (1), got (2)"
    assert difference([(1,), (2.0,)], [(1.0,), (2,)], ordered=True) is None


def test_no_rows_equal_no_rows_of_as_many_columns() -> None:
    two, one = Table(2, []), Table(1, [])
    assert tables_difference(two, two, False) is None
    assert tables_difference(two, one, False) == "expected 2 columns, got 1"


def test_a_missing_and_a_surplus_row_are_shown() -> None:
    assert tables_difference(Table(1, []), Table(1, [(1,)]), False) == (
        "expected 0 rows, got 1: (1) is one too many"
    )
    assert difference([(0.6,), ("b",)], [(0.6000000000000001,)]) == (
        "expected 2 rows, got 1: ('b') is missing"
    )
    assert difference([(1,)], [(1,), (1,)]) == "expected 1 row, got 2: (1) is one too many"


def test_a_wrong_row_is_shown_beside_the_one_it_resembles() -> None:
    got = [("Bern", 7), ("Oslo", 0), ("Rome", 2.5)]
    found = difference([("Paris", None), ("Oslo", None), ("Rome", 2.5)], got)
    assert found == "expected a row ('Paris', NULL), got ('Bern', 7)"
    found = difference([("Rome", 2.5), ("Oslo", None)], [("Oslo", 0), ("Rome", 2.5)])
    assert found == "expected a row ('Oslo', NULL), got ('Oslo', 0)"


def test_of_a_wide_row_the_first_differing_column_is_shown() -> None:
    wide = ("x" * 60, "y" * 60, 0.6, "a" * 100 + "b")
    other = ("x" * 60, "y" * 60, 0.6000000000000001, "a" * 100 + "c")
    tail = "a" * 20
    found = f"a row differs in column 4: expected …{tail}b', got …{tail}c'"
    assert difference([wide], [other]) == found
    assert difference([wide, (1,) * 4], [other, (1,) * 4], ordered=True) == found


def test_large_tables_are_compared_quickly() -> None:
    rows = [(n / 7, f"name {n % 10}") for n in range(10_000)]
    nearly = [(value * (1 + 1e-12), name) for value, name in reversed(rows)]
    assert difference(rows, nearly) is None
    assert difference(rows, [*nearly[:-1], (5.0, "name 0")])
