"""How values look in a line of evidence."""

import pytest

from codelutra.evidence import MAX_SHOWN, expected_got, show, show_answer
from codelutra.sandbox.sql_runner import Table

DAY = 86_400_000_000_000


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (None, "None"),
        (["list", [1, "a", None, 2.5, True, 6]], "[1, 'a', None, 2.5, True, …]"),
        (["tuple", [1]], "(1,)"),
        (["tuple", []], "()"),
        (["set", []], "set()"),
        (["frozenset", [1]], "frozenset({1})"),
        (["dict", [[1, ["list", []]], ["b", 2]]], "{1: [], 'b': 2}"),
        (["bytes", "6162"], "b'ab'"),
        (["complex", 1.0, -2.0], "(1-2j)"),
        (["datetime64", DAY], "datetime64 1970-01-02 00:00:00"),
        (["datetime64", None], "datetime64 NaT"),
        (["datetime64", 10**30], f"datetime64 {10**30} ns after 1970"),
        (
            ["timestamp", "Europe/Oslo", 1],
            "timestamp 1970-01-01 00:00:00 + 1 ns UTC in Europe/Oslo",
        ),
        (["timedelta64", 2 * DAY + 1], "timedelta64 2 days, 0:00:00 + 1 ns"),
        (["timedelta64", 10**40], f"timedelta64 {10**40} ns"),
        (["pd_timedelta", None], "timedelta NaT"),
        (["timedelta", 1_500_000], "timedelta 0:00:01.500000"),
        (["interval", "right", 0, 1], "interval (0, 1]"),
        (["date", "2020-01-01"], "date 2020-01-01"),
        (["NA"], "NA"),
        (["ndarray", "i", [2, 1], [1, 2]], "an array of shape (2, 1)"),
        (["index", [["i", [1, 2]]]], "an index of 2 values"),
        (["series", ["index", [["i", [0]]]], "i", [1]], "a series of 1 value"),
        (["categorical", "O", ["a"]], "a categorical of 1 value"),
    ],
)
def test_answers_are_shown_in_short(node: object, text: str) -> None:
    assert show(node) == text


def test_long_values_are_shown_from_where_they_differ() -> None:
    assert expected_got("1", "2") == "expected 1, got 2"
    same = "x" * 500
    near = "x" * 20
    assert expected_got(f"{same}1y", f"{same}2z") == f"expected …{near}1y, got …{near}2z"
    assert expected_got(same, f"{same}2") == f"expected …{near}, got …{near}2"
    assert len(expected_got("a" + same, "b" + same)) == 2 * MAX_SHOWN + len("expected , got ")


def test_an_answer_is_told_in_a_few_words() -> None:
    assert show_answer(Table(1, [(None,)])) == "1 row (NULL)"
    assert show_answer(Table(2, [(1, 2)] * 1500)) == "1,500 rows of 2 columns"
    assert len(show_answer("x" * 500)) == MAX_SHOWN
