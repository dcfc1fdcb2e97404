"""Pieces of SQL that several templates write, each with its own habits and slips."""

from codelutra.starter.pen import Pen
from codelutra.starter.sketch import Condition
from codelutra.starter.worlds import Table, World

SQL_AGGREGATE = {"mean": "AVG", "sum": "SUM", "max": "MAX", "min": "MIN"}


def schema(world: World) -> str:
    """Both tables in one line, as in client(id, name, city) sale(id, client_id, price)."""
    return " ".join(f"{t.name}(id, {', '.join(t.columns)})" for t in world.tables)


def operator(pen: Pen, op: str) -> str:
    if op == ">=":
        return pen.habit("sql_ge", ">=", ">")
    return pen.habit("sql_le", "<=", "<") if op == "<=" else op


def compare(pen: Pen, cond: Condition) -> str:
    return f"{cond.column} {operator(pen, cond.op)} {cond.number}"


def equals(pen: Pen, column: str, value: str) -> str:
    return f"{column} = '{value}" + pen.slip("sql_quote", "'")


def call(pen: Pen, function: str, argument: str) -> str:
    return f"{function}({argument}" + pen.slip("sql_call", ")")


def aggregate(pen: Pen, name: str, argument: str) -> str:
    function = SQL_AGGREGATE[name]
    if name == "mean":
        function = pen.habit("sql_avg", "AVG", "SUM")
    return call(pen, function, argument)


def distinct(pen: Pen, column: str) -> str:
    return f"COUNT({pen.habit('sql_distinct', 'DISTINCT ', '')}{column}" + pen.slip(
        "sql_distinct_close", ")"
    )


def also(pen: Pen, condition: str) -> str:
    return pen.habit("sql_and", f" AND {condition}", "")


def group(pen: Pen, key: str) -> str:
    return f" GROUP{pen.slip('sql_group', ' BY')} {key}"


def order(pen: Pen, key: str, descending: bool) -> str:
    direction = pen.habit("sql_desc", " DESC", "") if descending else ""
    return f" ORDER{pen.slip('sql_order', ' BY')} {key}{direction}"


def limit(pen: Pen, count: int) -> str:
    return f" LIMIT {pen.habit('sql_limit', str(count), str(count + 1))}"


def columns(pen: Pen, first: str, second: str) -> str:
    return first + pen.slip("sql_comma", ",") + f" {second}"


def subquery(pen: Pen, select: str) -> str:
    return f"({select}" + pen.slip("sql_subquery", ")")


def join(pen: Pen, child: Table, parent: Table) -> str:
    key = pen.habit("sql_join_key", f"{child.name}.{parent.name}_id", f"{child.name}.id")
    return f"{child.name} JOIN {parent.name} ON {key} = {parent.name}.id"
