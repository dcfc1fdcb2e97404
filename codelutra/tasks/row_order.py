"""Variants of a query that must give the same answer when no row's place is left to chance."""

import dataclasses
from collections.abc import Iterator

import sqlglot
from sqlglot import TokenType
from sqlglot.errors import SqlglotError

from codelutra.sandbox import Program

ENDS = {TokenType.LIMIT, TokenType.OFFSET, TokenType.SEMICOLON}


def variants(query: Program, columns: int) -> tuple[Program, Program]:
    """Rows that tie, by its outermost ORDER BY, in two orders; without one, all rows in two."""
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
