"""BIRD's and Spider's rules, beside a plain re-statement of what their evaluators compute."""

import random
from collections import Counter
from itertools import permutations
from typing import Any

import pytest

from codelutra.compare_published import as_spider_runs, bird_difference, spider_difference
from codelutra.sandbox.sql_runner import Table

Rows = list[tuple[Any, ...]]


def table(rows: Rows, columns: int = 1) -> Table:
    return Table(len(rows[0]) if rows else columns, rows)


def bird(expected: Rows, got: Rows) -> str | None:
    return bird_difference(table(expected), table(got))


def spider(expected: Rows, got: Rows, gold: str = "SELECT a FROM t") -> str | None:
    return spider_difference(table(expected), table(got), gold)


def test_bird_ignores_order_and_duplicates() -> None:
    assert bird([(1,), (2,), (2,)], [(2,), (1,)]) is None
    assert bird([(1,)], [(1.0,)]) is None
    assert bird_difference(Table(1, []), Table(2, [])) is None


def test_bird_wants_the_very_values_in_their_columns() -> None:
    assert bird([(1,)], [(2,)]) == "expected a row (1), got (2)"
    assert bird([(1,), (2,)], [(1,)]) == "(2) is missing from the set of rows"
    assert bird([(1,)], [(1,), (2,)]) == "(2) is not expected in the set of rows"
    assert bird([(0.6,)], [(0.6000000000000001,)])
    assert bird([(1, "a")], [("a", 1)])
    assert bird([(1,)], [("1",)])
    assert bird([(None,)], [(0,)])
    assert bird([(1,)], [(1, 1)])


def test_spider_tries_the_orders_of_the_columns() -> None:
    assert spider([(1, "a"), (2, "b")], [("b", 2), ("a", 1)]) is None
    crossed = spider([(1, 2), (2, 1), (1, 1)], [(1, 2), (1, 2), (1, 1)])
    assert crossed == "the same values, but under no order of the columns the same rows"


def test_spider_counts_duplicates_and_wants_the_very_values() -> None:
    assert spider([(1,), (1,), (2,)], [(1,), (2,), (2,)])
    assert spider([(1,), (2,)], [(1,)]) == "expected 2 rows, got 1"
    assert spider([(1,)], [(1, 1)]) == "expected 1 column, got 2"
    assert spider([(1,)], [(2,)]) == "(1) is missing in any order of its values"
    assert spider([(0.6,)], [(0.6000000000000001,)])
    assert spider([(1,)], [("1",)])
    assert spider_difference(Table(1, []), Table(2, []), "") is None


@pytest.mark.parametrize("gold", ["SELECT a FROM t ORDER BY a", "SELECT 'order by' FROM t"])
def test_spider_keeps_the_order_when_the_gold_says_order_by_anywhere(gold: str) -> None:
    assert spider([(1,), (2,)], [(2,), (1,)]) is None
    assert spider([(1,), (2,)], [(2,), (1,)], gold) == "row 1: expected (1), got (2)"
    assert spider([(1, "a"), (2, "b")], [("a", 1), ("b", 2)], gold) is None
    assert spider([(1, 2), (3, 4)], [(1, 2), (4, 3)], gold)


@pytest.mark.parametrize(
    ("query", "run"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT  a FROM t"),
        ("SELECT count(distinct a) FROM t", "SELECT count( a) FROM t"),
        ("SELECT 'a distinct b', distinct_x FROM t", "SELECT 'a distinct b', distinct_x FROM t"),
        ("SELECT 'it''s' , DISTINCT(a)", "SELECT 'it''s' , (a)"),
        ("SELECT a FROM t WHERE a > = 1 AND b ! = 2", "SELECT a FROM t WHERE a >= 1 AND b != 2"),
        ("SELECT YEAR(CURDATE()) - a", "SELECT 2020- a"),
    ],
)
def test_spider_runs_queries_without_distinct(query: str, run: str) -> None:
    assert as_spider_runs(query) == run


def plain_spider(expected: Rows, got: Rows, ordered: bool) -> bool:
    """Every permutation, as the published evaluator would without its short cuts."""
    for order in permutations(range(len(expected[0]))):
        arranged = [tuple(row[place] for place in order) for row in got]
        if expected == arranged if ordered else Counter(expected) == Counter(arranged):
            return True
    return False


@pytest.mark.parametrize("ordered", [False, True])
def test_spider_agrees_with_trying_everything(ordered: bool) -> None:
    rng = random.Random(7)
    equal = 0
    for _ in range(2000):
        width, height = rng.randint(1, 4), rng.randint(1, 4)
        expected = [tuple(rng.choice("ab") for _ in range(width)) for _ in range(height)]
        order = rng.sample(range(width), width)
        got = [tuple(row[place] for place in order) for row in expected]
        if rng.random() < 0.5:
            got[rng.randrange(height)] = tuple(rng.choice("ab") for _ in range(width))
        if not ordered:
            rng.shuffle(got)
        wanted = plain_spider(expected, got, ordered)
        gold = "SELECT a ORDER BY a" if ordered else "SELECT a"
        assert (spider(expected, got, gold) is None) is wanted
        equal += wanted
    assert 500 < equal < 1900


def test_many_alike_columns_take_no_time() -> None:
    width = 12
    expected = [tuple((i + j) % width for j in range(width)) for i in range(width)]
    got = [tuple((i * j) % width for j in range(width)) for i in range(width)]
    assert spider(expected, expected[::-1]) is None
    assert spider(expected, got)
