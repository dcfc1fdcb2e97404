"""Compares two SQL answers as BIRD's and Spider's own evaluators do, for figures like theirs.

Both are more lenient than `compare_tables` in some ways and stricter in others (floats must agree
to the last bit, 1 equals 1.0). Pure; returns None when equal, else one line for a person.
"""

import re
from collections import Counter
from collections.abc import Sequence

from codelutra.compare_tables import Row, row_difference
from codelutra.evidence import count, show_row
from codelutra.sandbox.sql_runner import Table

MAX_ARRANGEMENTS = 2000  # orders of columns tried before two tables count as different
NO_ARRANGEMENT = "the same values, but under no order of the columns the same rows"
YEAR_NOW = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)
# What is quoted or commented out stays; group 1 is kept.
DISTINCT = re.compile(
    r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|/\*.*?\*/)|\bdistinct\b""",
    re.IGNORECASE | re.DOTALL,
)


def bird_difference(expected: Table, got: Table) -> str | None:
    """Equal sets of rows: order and duplicates are ignored, two empty answers are equal.

    Source: `set(predicted_res) == set(ground_truth_res)` in AlibabaResearch/DAMO-ConvAI,
    bird/llm/src/evaluation.py; appendix B.7 of the BIRD paper (arXiv 2305.03111).
    """
    wanted, found = set(expected.rows), set(got.rows)
    missing = next((row for row in expected.rows if row not in found), None)
    extra = next((row for row in got.rows if row not in wanted), None)
    if missing is not None and extra is not None:
        return row_difference(missing, extra)
    if missing is not None:
        return f"{show_row(missing)} is missing from the set of rows"
    return f"{show_row(extra)} is not expected in the set of rows" if extra is not None else None


def spider_difference(expected: Table, got: Table, gold: str) -> str | None:
    """Equal multisets of rows under some order of the columns; lists if `gold` says ORDER BY.

    Source: `result_eq` and `eval_exec_match` in taoyds/test-suite-sql-eval, exec_eval.py: ORDER
    BY counts anywhere in the gold's text, two empty answers are equal whatever their columns.
    That evaluator also runs each query on many databases of a schema; here it is one.
    """
    if not expected.rows and not got.rows:
        return None
    if len(expected.rows) != len(got.rows):
        return f"expected {count(len(expected.rows), 'row')}, got {len(got.rows):,}"
    if expected.columns != got.columns:
        return f"expected {count(expected.columns, 'column')}, got {got.columns}"
    if "order by" in gold.lower():
        return _ordered_difference(expected, got)
    wanted, found = ({free_row(row) for row in table.rows} for table in (expected, got))
    missing = next((row for row in expected.rows if free_row(row) not in found), None)
    extra = next((row for row in got.rows if free_row(row) not in wanted), None)
    if missing is not None:
        return f"{show_row(missing)} is missing in any order of its values"
    if extra is not None:
        return f"{show_row(extra)} is not expected in any order of its values"
    return None if is_arrangeable(expected.rows, got.rows) else NO_ARRANGEMENT


def _ordered_difference(expected: Table, got: Table) -> str | None:
    for number, (left, right) in enumerate(zip(expected.rows, got.rows, strict=True), 1):
        if free_row(left) != free_row(right):
            return row_difference(left, right, f"row {number}")
    columns = (Counter(zip(*table.rows, strict=True)) for table in (expected, got))
    return None if next(columns) == next(columns) else NO_ARRANGEMENT


def free_row(row: Row) -> Row:
    """A row whatever the order of its values; 1 and 1.0 may stand apart, as in the original."""
    return tuple(sorted(row, key=lambda cell: f"{cell}{type(cell)}"))


def is_arrangeable(expected: Sequence[Row], got: Sequence[Row]) -> bool:
    """Is there an order of the columns of `got` that gives the same multiset of rows?

    Column by column, looking at what is arranged so far; MAX_ARRANGEMENTS bounds the search.
    """
    tries = 0
    columns = list(zip(*got, strict=True))
    wanted = [Counter(row[:width] for row in expected) for width in range(len(columns) + 1)]

    def extend(arranged: list[Row], left: Counter[Row]) -> bool:
        nonlocal tries
        if not left:
            return True
        for column in list(left):
            tries += 1
            longer = [(*row, cell) for row, cell in zip(arranged, column, strict=True)]
            fits = tries <= MAX_ARRANGEMENTS and Counter(longer) == wanted[len(longer[0])]
            if fits and extend(longer, left - Counter([column])):
                return True
        return False

    return extend([()] * len(got), Counter(columns))


def as_spider_runs(query: str) -> str:
    """The text that Spider's evaluator executes for gold and prediction (its default options).

    Source: `postprocess`, `replace_cur_year` (exec_eval.py) and `remove_distinct` (parse.py).
    """
    for split, joined in (("> =", ">="), ("< =", "<="), ("! =", "!=")):
        query = query.replace(split, joined)
    query = DISTINCT.sub(lambda match: match[1] or "", query)
    return YEAR_NOW.sub("2020", query)
