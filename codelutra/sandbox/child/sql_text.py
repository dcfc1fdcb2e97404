"""What a query's text says: whether it is one statement, what it changes, where it is wrong."""

import re

import apsw

# Atomic groups: a comment ends at its first end mark, whatever follows.
BLANK = re.compile(r"(?>(?:[\s;]|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*)", re.DOTALL)


def unfit(sql: str) -> str:
    """Why it is not exactly one statement; empty when it is."""
    if BLANK.fullmatch(sql):
        return "no statement"
    end = sql.find(";")
    while end >= 0:
        if apsw.complete(sql[: end + 1].replace("\0", " ")):
            if not BLANK.fullmatch(sql, end):
                return "more than one statement"
            return ""
        end = sql.find(";", end + 1)
    return ""


def schema_change(sql: str) -> str:
    """CREATE, DROP or ALTER: to the authorizer they begin with a write to the schema's table."""
    blank = BLANK.match(sql)
    words = sql[blank.end() if blank else 0 :].split(None, 2)
    first = words[0].upper() if words else ""
    return " ".join(words[:2]).upper() if first in ("CREATE", "DROP", "ALTER") else ""


def line_of(error: apsw.Error, sql: str) -> str:
    """The line of the error, where a query has several and SQLite knows the place."""
    offset = getattr(error, "error_offset", -1)
    if offset < 0 or "\n" not in sql.strip():
        return ""
    before = sql.encode(errors="replace")[:offset]
    number = before.count(b"\n") + 1
    return f" (line {number})"
