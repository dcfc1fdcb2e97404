"""BIRD's and Spider's execution accuracy, restated from their definitions with the plain `sqlite3`.

Shares no code with the product. Sources: bird/llm/src/evaluation.py (AlibabaResearch/DAMO-ConvAI)
and exec_eval.py (taoyds/test-suite-sql-eval). Two things are not restated: that BIRD's lets a
prediction write to the database (here it may only read), and that Spider's command replaces the
letters `value` by `1` in every prediction before it looks at it.
"""

import itertools
import re
import sqlite3
import threading
from collections import Counter
from typing import Any

Rows = list[tuple[Any, ...]]
BIRD_S, SPIDER_S = 30.0, 60.0
TOKEN = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|--[^\n]*|/\*.*?\*/|\w+|\s+|.""", re.DOTALL)
YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)


def bird_says(prediction: str, gold: str, database: str) -> bool:
    """Equal sets of rows within 30 s; whatever raises is wrong."""
    try:
        got = rows_of(prediction, database, BIRD_S)
    except sqlite3.Error:
        return False
    return set(got) == set(rows_of(gold, database, BIRD_S))


def spider_says(prediction: str, gold: str, database: str) -> bool:
    """`eval_exec_match` with its defaults, on the one database there is."""
    ordered = "order by" in gold.lower()
    expected = rows_of(as_run(gold), database, SPIDER_S, ignore=True)
    try:
        got = rows_of(as_run(prediction), database, SPIDER_S, ignore=True)
    except sqlite3.Error:
        return False
    return result_eq(expected, got, ordered)


def as_run(query: str) -> str:
    for split, joined in (("> =", ">="), ("< =", "<="), ("! =", "!=")):
        query = query.replace(split, joined)
    tokens = TOKEN.findall(query)
    return YEAR.sub("2020", "".join(t for t in tokens if t.lower() != "distinct"))


def result_eq(expected: Rows, got: Rows, ordered: bool) -> bool:
    if not expected and not got:
        return True
    if len(expected) != len(got) or len(expected[0]) != len(got[0]):
        return False
    columns = list(zip(*got, strict=True))
    wanted = [Counter(column) for column in zip(*expected, strict=True)]
    fitting = [
        [place for place, column in enumerate(columns) if Counter(column) == each]
        for each in wanted
    ]
    for order in itertools.product(*fitting):
        if len(set(order)) < len(order):
            continue
        arranged = [tuple(row[place] for place in order) for row in got]
        if arranged == expected if ordered else Counter(arranged) == Counter(expected):
            return True
    return False


def rows_of(query: str, database: str, limit_s: float, ignore: bool = False) -> Rows:
    connection = sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)
    if ignore:  # bytes that are no text are dropped
        connection.text_factory = lambda data: data.decode(errors="ignore")
    connection.set_authorizer(may_read)
    timer = threading.Timer(limit_s, connection.interrupt)
    timer.start()
    try:
        return connection.execute(query).fetchall()
    except sqlite3.Warning as error:  # several statements, on old Pythons
        raise sqlite3.Error(str(error)) from error
    finally:
        timer.cancel()
        timer.join()
        connection.close()


def may_read(action: int, *_: Any) -> int:
    allowed = (sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION)
    return (
        sqlite3.SQLITE_OK if action in (*allowed, sqlite3.SQLITE_RECURSIVE) else sqlite3.SQLITE_DENY
    )
