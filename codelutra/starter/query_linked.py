"""Query templates whose columns may lie in either table: the schema line has to be read."""

from codelutra.starter.pen import Pen
from codelutra.starter.query_parts import (
    aggregate,
    also,
    call,
    columns,
    compare,
    equals,
    group,
    join,
    limit,
    order,
    schema,
)
from codelutra.starter.sketch import Draw, Sketch, template


@template(
    "sql",
    ("Joining {t} with its {p}, how many rows have {cond} and {c} {v}?",),
    ("Over {t} and its {p}, count rows where {cond}, {c} equals {v}.",),
)
def linked_count(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    x, y = draw.either_table(), draw.either_table()
    cond = draw.condition(x, *draw.numbers(x, 1))
    c = draw.category(y)
    (v,) = draw.members(y, c, 1)

    def write(pen: Pen) -> str:
        head = f"SELECT {call(pen, 'COUNT', '*')} FROM {join(pen, t, p)}"
        second = also(pen, f"{y.name}.{equals(pen, c, v)}")
        return f"{head} WHERE {x.name}.{compare(pen, cond)}{second}"

    blanks = {"t": t.name, "p": p.name, "c": c, "v": v, "cond": cond.words}
    return Sketch(schema(draw.world), blanks, write)


@template(
    "sql",
    ("Joining {t} with its {p}, what is the {agg} {a} per {c}?",),
    ("Over {t} and its {p}, give for every {c} its {agg} {a}.",),
)
def linked_group(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    x, y = draw.either_table(), draw.either_table()
    (a,) = draw.numbers(x, 1)
    c = draw.category(y)
    agg, words = draw.aggregate("mean", "sum", "max", "min")

    def write(pen: Pen) -> str:
        selected = columns(pen, f"{y.name}.{c}", aggregate(pen, agg, f"{x.name}.{a}"))
        return f"SELECT {selected} FROM {join(pen, t, p)}" + group(pen, f"{y.name}.{c}")

    blanks = {"t": t.name, "p": p.name, "c": c, "agg": words, "a": a}
    return Sketch(schema(draw.world), blanks, write)


@template(
    "sql",
    ("Joining {t} with its {p}, list the {t} {l} of the {k} {way} {a} given {cond}.",),
    ("Over {t} and its {p}, which {t} {l} rank first {k} by {way} {a} if {cond}?",),
)
def linked_top(draw: Draw) -> Sketch:
    p, t = draw.world.tables
    a, b = draw.numbers(t, 2)
    x = draw.either_table()
    cond = draw.condition(x, b if x is t else draw.numbers(x, 1)[0])
    k = draw.small()
    agg, words = draw.aggregate("max", "min")

    def write(pen: Pen) -> str:
        head = f"SELECT {t.name}.{t.label} FROM {join(pen, t, p)}"
        rank = order(pen, f"{t.name}.{a}", descending=agg == "max") + limit(pen, k)
        return f"{head} WHERE {x.name}.{compare(pen, cond)}{rank}"

    names = {"t": t.name, "p": p.name, "l": t.label, "a": a}
    return Sketch(schema(draw.world), {**names, "k": k, "way": words, "cond": cond.words}, write)


@template(
    "sql",
    ("How many {t} rows have {a} within {d} of {n}?",),
    ("Count {t} rows whose {a} differs from {n} by {d} or fewer.",),
)
def within(draw: Draw) -> Sketch:
    t = draw.world.child
    (a,) = draw.numbers(t, 1)
    n, d = draw.rng.randint(20, 80), draw.rng.choice((5, 10))

    def write(pen: Pen) -> str:
        low, high = n - d, n + d
        bounds = pen.habit("sql_between", f"BETWEEN {low} AND {high}", f">= {low}")
        return f"SELECT {call(pen, 'COUNT', '*')} FROM {t.name} WHERE {a} {bounds}"

    return Sketch(schema(draw.world), {"t": t.name, "a": a, "n": n, "d": d}, write)
