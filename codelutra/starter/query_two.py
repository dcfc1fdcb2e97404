"""Query templates that need both tables."""

from codelutra.starter.pen import Pen
from codelutra.starter.query_parts import (
    aggregate,
    also,
    call,
    columns,
    compare,
    distinct,
    equals,
    group,
    join,
    limit,
    order,
    schema,
    subquery,
)
from codelutra.starter.sketch import Draw, Sketch, template


@template(
    "sql",
    ("List the {l} of {t} rows whose {p} has {c} {v} and with {cond}.",),
    ("Show each {l} in {t} for a {p} of {c} {v}, {cond}.",),
)
def join_list(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    c = draw.category(p)
    (v,) = draw.members(p, c, 1)
    cond = draw.condition(t, *draw.numbers(t, 1))
    return Sketch(
        schema(draw.world),
        {"t": t.name, "p": p.name, "l": t.label, "c": c, "v": v, "cond": cond.words},
        lambda pen: (
            f"SELECT {t.name}.{t.label} FROM {join(pen, t, p)} WHERE {p.name}.{equals(pen, c, v)}"
            + also(pen, f"{t.name}.{compare(pen, cond)}")
        ),
    )


@template(
    "sql",
    ("Per {c} of the {p}, what is the {agg} {a} of {t}?",),
    ("For every {c} of a {p} give the {agg} {a} over its {t} rows.",),
)
def join_group(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    c = draw.category(p)
    (a,) = draw.numbers(t, 1)
    agg, words = draw.aggregate("mean", "sum", "max")

    def write(pen: Pen) -> str:
        selected = columns(pen, f"{p.name}.{c}", aggregate(pen, agg, f"{t.name}.{a}"))
        return f"SELECT {selected} FROM {join(pen, t, p)}" + group(pen, f"{p.name}.{c}")

    return Sketch(
        schema(draw.world), {"t": t.name, "p": p.name, "c": c, "agg": words, "a": a}, write
    )


@template(
    "sql",
    ("How many {p} rows with {cond} have no {t} with {c} {v}?",),
    ("Count each {p} with {cond} that lacks any {t} of {c} {v}.",),
)
def without(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    c = draw.category(t)
    (v,) = draw.members(t, c, 1)
    cond = draw.condition(p, *draw.numbers(p, 1))

    def write(pen: Pen) -> str:
        inner = subquery(pen, f"SELECT {p.name}_id FROM {t.name} WHERE {equals(pen, c, v)}")
        head = f"SELECT {call(pen, 'COUNT', '*')} FROM {p.name} WHERE {compare(pen, cond)}"
        return f"{head} AND id {pen.habit('sql_not_in', 'NOT IN', 'IN')} {inner}"

    return Sketch(
        schema(draw.world), {"t": t.name, "p": p.name, "c": c, "v": v, "cond": cond.words}, write
    )


@template(
    "sql",
    ("How many different {c} values of {t} belong to a {p} with {cond}?",),
    ("Number of distinct {c} entries in {t} under a {p} with {cond}.",),
)
def join_distinct(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    c = draw.category(t)
    cond = draw.condition(p, *draw.numbers(p, 1))
    return Sketch(
        schema(draw.world),
        {"t": t.name, "p": p.name, "c": c, "cond": cond.words},
        lambda pen: (
            f"SELECT {distinct(pen, f'{t.name}.{c}')} FROM {join(pen, t, p)}"
            f" WHERE {p.name}.{compare(pen, cond)}"
        ),
    )


@template(
    "sql",
    ("Which {k} {p} rows have the highest total {a} in {t}? List the {l}.",),
    ("Give the {l} of the top {k} {p} rows by summed {t} {a}.",),
)
def join_top(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    (a,) = draw.numbers(t, 1)
    k = draw.small()
    return Sketch(
        schema(draw.world),
        {"t": t.name, "p": p.name, "l": p.label, "k": k, "a": a},
        lambda pen: (
            f"SELECT {p.name}.{p.label} FROM {join(pen, t, p)}"
            + group(pen, f"{p.name}.id")
            + order(pen, call(pen, "SUM", f"{t.name}.{a}"), descending=True)
            + limit(pen, k)
        ),
    )
