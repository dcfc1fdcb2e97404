"""Query templates over one table."""

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
    limit,
    operator,
    order,
    schema,
    subquery,
)
from codelutra.starter.sketch import Draw, Sketch, template


@template("sql", ("How many {t} rows have {cond}?",), ("Number of {t} rows with {cond}.",))
def count_where(draw: Draw) -> Sketch:
    t = draw.world.child
    cond = draw.condition(t, *draw.numbers(t, 1))
    return Sketch(
        schema(draw.world),
        {"t": t.name, "cond": cond.words},
        lambda pen: f"SELECT {call(pen, 'COUNT', '*')} FROM {t.name} WHERE {compare(pen, cond)}",
    )


@template(
    "sql",
    ("What is the {agg} {a} of {t} rows whose {c} is {v} and with {cond}?",),
    ("Give the {agg} {a} in {t} where {c} equals {v} and {cond}.",),
)
def aggregate_where(draw: Draw) -> Sketch:
    t = draw.world.child
    a, b = draw.numbers(t, 2)
    c = draw.category(t)
    (v,) = draw.members(t, c, 1)
    cond = draw.condition(t, b)
    agg, words = draw.aggregate("mean", "mean", "sum", "max", "min")
    return Sketch(
        schema(draw.world),
        {"t": t.name, "agg": words, "a": a, "c": c, "v": v, "cond": cond.words},
        lambda pen: (
            f"SELECT {aggregate(pen, agg, a)} FROM {t.name} WHERE {equals(pen, c, v)}"
            + also(pen, compare(pen, cond))
        ),
    )


@template(
    "sql",
    ("How many different {c} values occur in {t} with {cond}?",),
    ("Number of distinct {c} entries of {t} where {cond}.",),
)
def count_distinct(draw: Draw) -> Sketch:
    t = draw.world.child
    c = draw.category(t)
    cond = draw.condition(t, *draw.numbers(t, 1))
    return Sketch(
        schema(draw.world),
        {"t": t.name, "c": c, "cond": cond.words},
        lambda pen: f"SELECT {distinct(pen, c)} FROM {t.name} WHERE {compare(pen, cond)}",
    )


@template(
    "sql",
    ("List the {l} of {t} rows with {c} {v} and {cond}.",),
    ("Show each {l} in {t} having {c} {v} and {cond}.",),
)
def list_where(draw: Draw) -> Sketch:
    t = draw.world.child
    c = draw.category(t)
    (v,) = draw.members(t, c, 1)
    cond = draw.condition(t, *draw.numbers(t, 1))
    return Sketch(
        schema(draw.world),
        {"t": t.name, "l": t.label, "c": c, "v": v, "cond": cond.words},
        lambda pen: (
            f"SELECT {t.label} FROM {t.name} WHERE {equals(pen, c, v)}"
            + also(pen, compare(pen, cond))
        ),
    )


@template(
    "sql",
    ("Per {c}, what is the {agg} {a} in {t}?",),
    ("For every {c} of {t} give its {agg} {a}.",),
)
def group_aggregate(draw: Draw) -> Sketch:
    t = draw.world.child
    (a,) = draw.numbers(t, 1)
    c = draw.category(t)
    agg, words = draw.aggregate("mean", "sum", "max", "min")

    def write(pen: Pen) -> str:
        value = aggregate(pen, agg, a)
        selected = pen.habit("sql_group_key", columns(pen, c, value), value)
        return f"SELECT {selected} FROM {t.name}" + group(pen, c)

    return Sketch(schema(draw.world), {"t": t.name, "c": c, "agg": words, "a": a}, write)


@template(
    "sql",
    ("Which {c} values of {t} have a {agg} {a} of {bound}?",),
    ("Find every {c} in {t} whose {agg} {a} is {bound}.",),
)
def group_having(draw: Draw) -> Sketch:
    t = draw.world.child
    (a,) = draw.numbers(t, 1)
    c = draw.category(t)
    agg, words = draw.aggregate("mean", "max", "min")
    number = int(draw.rng.choice(t.values[a]))
    op, bound = draw.comparison(number)

    def write(pen: Pen) -> str:
        having = f" HAVING {aggregate(pen, agg, a)} {operator(pen, op)} {number}"
        return f"SELECT {c} FROM {t.name}" + group(pen, c) + pen.habit("sql_having", having, "")

    return Sketch(
        schema(draw.world), {"t": t.name, "c": c, "agg": words, "a": a, "bound": bound}, write
    )


@template(
    "sql",
    ("List the {l} of the {k} {t} rows with the {way} {a}.",),
    ("Which {k} {t} rows rank first by {way} {a}? Give their {l}.",),
)
def top_rows(draw: Draw) -> Sketch:
    t = draw.world.child
    (a,) = draw.numbers(t, 1)
    k = draw.small()
    agg, words = draw.aggregate("max", "max", "min")
    return Sketch(
        schema(draw.world),
        {"t": t.name, "l": t.label, "k": k, "way": words, "a": a},
        lambda pen: f"SELECT {t.label} FROM {t.name}" + order(pen, a, agg == "max") + limit(pen, k),
    )


@template(
    "sql",
    ("How many {t} rows have {a} above the average {a}?",),
    ("Count {t} rows whose {a} exceeds the mean {a}.",),
)
def above_average(draw: Draw) -> Sketch:
    t = draw.world.child
    (a,) = draw.numbers(t, 1)

    def write(pen: Pen) -> str:
        average = subquery(pen, f"SELECT {aggregate(pen, 'mean', a)} FROM {t.name}")
        above = pen.habit("sql_above", ">", "<")
        return f"SELECT {call(pen, 'COUNT', '*')} FROM {t.name} WHERE {a} {above} {average}"

    return Sketch(schema(draw.world), {"t": t.name, "a": a}, write)


@template(
    "sql",
    ("What is the {agg} {a} in {t} with {b} from {low} to {high}?",),
    ("Give the {agg} {a} of {t} for {b} between {low} and {high}.",),
)
def between(draw: Draw) -> Sketch:
    t = draw.world.child
    a, b = draw.numbers(t, 2)
    low, high = draw.bounds(t, b)
    agg, words = draw.aggregate("mean", "sum", "max")

    def write(pen: Pen) -> str:
        bounds = pen.habit("sql_between", f"BETWEEN {low} AND {high}", f">= {low}")
        return f"SELECT {aggregate(pen, agg, a)} FROM {t.name} WHERE {b} {bounds}"

    return Sketch(
        schema(draw.world),
        {"t": t.name, "agg": words, "a": a, "b": b, "low": low, "high": high},
        write,
    )


@template(
    "sql",
    ("Count {t} rows where {c} is {v} or {w}, with {cond}.",),
    ("How many of {t} have {c} {v} or {w} while {cond}?",),
)
def either(draw: Draw) -> Sketch:
    t = draw.world.child
    c = draw.category(t)
    v, w = draw.members(t, c, 2)
    cond = draw.condition(t, *draw.numbers(t, 1))

    def write(pen: Pen) -> str:
        both = f"{equals(pen, c, v)} OR {equals(pen, c, w)}"
        both = pen.habit("sql_or", f"({both})", both)
        return (
            f"SELECT {call(pen, 'COUNT', '*')} FROM {t.name} WHERE {both} AND {compare(pen, cond)}"
        )

    return Sketch(
        schema(draw.world), {"t": t.name, "c": c, "v": v, "w": w, "cond": cond.words}, write
    )


@template(
    "sql",
    ("How many {t} rows with {c} {v} have no {g} recorded?",),
    ("Count {t} rows lacking {g} where {c} equals {v}.",),
)
def missing(draw: Draw) -> Sketch:
    t = draw.world.child
    c = draw.category(t)
    (v,) = draw.members(t, c, 1)

    def write(pen: Pen) -> str:
        empty = f"{t.gaps} {pen.habit('sql_null', 'IS NULL', '= NULL')}"
        return f"SELECT {call(pen, 'COUNT', '*')} FROM {t.name} WHERE {empty}" + also(
            pen, equals(pen, c, v)
        )

    return Sketch(schema(draw.world), {"t": t.name, "c": c, "v": v, "g": t.gaps}, write)


@template(
    "sql",
    ("Which {c} of {t} has the highest total {a} among rows with {cond}?",),
    ("Name the {c} whose summed {a} is greatest in {t}, using {cond} only.",),
)
def group_top(draw: Draw) -> Sketch:
    t = draw.world.child
    a, b = draw.numbers(t, 2)
    c = draw.category(t)
    cond = draw.condition(t, b)
    return Sketch(
        schema(draw.world),
        {"t": t.name, "c": c, "a": a, "cond": cond.words},
        lambda pen: (
            f"SELECT {c} FROM {t.name} WHERE {compare(pen, cond)}"
            + group(pen, c)
            + order(pen, call(pen, "SUM", a), descending=True)
            + " LIMIT 1"
        ),
    )


@template(
    "sql",
    ("What share of {t} rows with {c} {v} has {cond}?",),
    ("Give the fraction in {t} with {cond} when {c} equals {v}.",),
)
def share(draw: Draw) -> Sketch:
    t = draw.world.child
    c = draw.category(t)
    (v,) = draw.members(t, c, 1)
    cond = draw.condition(t, *draw.numbers(t, 1))

    def write(pen: Pen) -> str:
        hits = call(pen, "SUM", compare(pen, cond))
        fraction = f"{pen.habit('sql_case', '1.0 * ', '')}{hits} / COUNT(*)"
        return f"SELECT {fraction} FROM {t.name} WHERE {equals(pen, c, v)}"

    return Sketch(schema(draw.world), {"t": t.name, "c": c, "v": v, "cond": cond.words}, write)
