"""What the outermost ORDER BY of a query says of its rows, and what it leaves to chance."""

import dataclasses
import functools
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import TokenType
from sqlglot.errors import SqlglotError

from codelutra.sandbox import Program

ENDS = {TokenType.LIMIT, TokenType.OFFSET, TokenType.SEMICOLON}


@functools.lru_cache(maxsize=10_000)
def is_ordered(gold: str) -> bool:
    """Does the outermost query of the gold have an ORDER BY?"""
    if "order" not in gold.lower():
        return False
    try:
        tokens = sqlglot.tokenize(gold, read="sqlite")
    except SqlglotError:  # of SQLite's own syntax, say an open comment at the end
        return re.search(r"\border\s+by\b[^)]*$", gold, re.IGNORECASE) is not None
    depth = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        is_bare_word = kind is TokenType.VAR and token.text.upper() == "ORDER"  # BY comes later
        if depth == 0 and (kind is TokenType.ORDER_BY or is_bare_word):
            return True
    return False


def variants(query: Program, columns: int) -> tuple[Program, Program]:
    """They answer alike when no row's place is left to chance.

    Rows that tie, by its outermost ORDER BY, in two orders; without one, all rows in two.
    """
    end = order_ends_at(query.source)
    if end is None:
        return query, dataclasses.replace(query, backwards=True)
    up, down = (
        "".join(f", {column}{direction}" for column in range(1, columns + 1))
        for direction in ("", " DESC")
    )
    before, after = query.source[:end], query.source[end:]
    return (
        dataclasses.replace(query, source=f"{before}{up} {after}"),
        dataclasses.replace(query, source=f"{before}{down} {after}"),
    )


def order_ends_at(sql: str) -> int | None:
    """The place behind the last term of the outermost ORDER BY; None without one."""
    try:
        tokens = list(outermost(sql))
    except SqlglotError:  # SQLite's own syntax
        return None
    orders = [place for place, (kind, _, _) in enumerate(tokens) if kind is TokenType.ORDER_BY]
    if not orders:
        return None
    for kind, start, _ in tokens[orders[-1] :]:
        if kind in ENDS:
            return start
    return tokens[-1][2]


def outermost(sql: str) -> Iterator[tuple[TokenType, int, int]]:
    """Tokens that stand in no parentheses, a whole pair as its closing one: kind, start, end."""
    depth = 0
    for token in sqlglot.tokenize(sql, read="sqlite"):
        depth += token.token_type is TokenType.L_PAREN
        depth -= token.token_type is TokenType.R_PAREN
        if depth == 0:
            yield token.token_type, token.start, token.end + 1
