"""Science templates over the rows of a pandas data frame."""

from codelutra.starter.pen import Pen
from codelutra.starter.science_parts import (
    aggregate,
    both,
    call,
    column,
    compare,
    equals,
    frame_schema,
    quoted,
    sort_by,
    where,
)
from codelutra.starter.sketch import Draw, Sketch, template


@template(
    "python",
    ("What is the {agg} {a} in rows with {cond}?",),
    ("Compute the {agg} {a} where {cond}.",),
)
def mask_aggregate(draw: Draw) -> Sketch:
    f = draw.world.child
    a, b = draw.numbers(f, 2)
    cond = draw.condition(f, b)
    agg, words = draw.aggregate("mean", "sum", "max", "median")
    return Sketch(
        frame_schema(draw.world),
        {"agg": words, "a": a, "cond": cond.words},
        lambda pen: (
            f"result = {where(pen, f.name, compare(pen, f.name, cond), a)}" + aggregate(pen, agg)
        ),
    )


@template(
    "python",
    ("How many rows have {c} {v} and {cond}?",),
    ("Number of rows where {c} equals {v} and {cond}.",),
)
def both_count(draw: Draw) -> Sketch:
    f = draw.world.child
    c = draw.category(f)
    (v,) = draw.members(f, c, 1)
    cond = draw.condition(f, *draw.numbers(f, 1))

    def write(pen: Pen) -> str:
        mask = both(pen, compare(pen, f.name, cond), equals(pen, f.name, c, v))
        return f"result = {call(pen, 'len', f'{f.name}[{mask}]')}"

    return Sketch(frame_schema(draw.world), {"c": c, "v": v, "cond": cond.words}, write)


@template(
    "python",
    ("List the {l} of the {k} rows with the {way} {a}.",),
    ("Which {l} values rank in the first {k} by {way} {a}?",),
)
def top_rows(draw: Draw) -> Sketch:
    f = draw.world.child
    (a,) = draw.numbers(f, 1)
    k = draw.small()
    agg, words = draw.aggregate("max", "max", "min")

    def write(pen: Pen) -> str:
        head = call(pen, "head", pen.habit("py_head", str(k), str(k - 1)))
        ranked = sort_by(pen, quoted(pen, a), descending=agg == "max")
        return f'result = {f.name}.{ranked}.{head}["{f.label}"].tolist()'

    return Sketch(frame_schema(draw.world), {"l": f.label, "k": k, "way": words, "a": a}, write)


@template(
    "python",
    ("How many different {c} values occur with {cond}?",),
    ("Number of distinct {c} entries where {cond}.",),
)
def count_distinct(draw: Draw) -> Sketch:
    f = draw.world.child
    c = draw.category(f)
    cond = draw.condition(f, *draw.numbers(f, 1))

    def write(pen: Pen) -> str:
        chosen = where(pen, f.name, compare(pen, f.name, cond), c)
        return f"result = {chosen}.{call(pen, pen.habit('py_nunique', 'nunique', 'count'))}"

    return Sketch(frame_schema(draw.world), {"c": c, "cond": cond.words}, write)


@template(
    "python",
    ("What is the {agg} {g} with missing values counted as {n}?",),
    ("Compute the {agg} {g}, reading each gap as {n}.",),
)
def filled(draw: Draw) -> Sketch:
    f = draw.world.child
    n = draw.small()
    agg, words = draw.aggregate("mean", "median")

    def write(pen: Pen) -> str:
        filler = pen.habit("py_fillna", call(pen, "fillna", str(n)), "dropna()")
        return f"result = {column(f.name, f.gaps)}.{filler}" + aggregate(pen, agg)

    return Sketch(frame_schema(draw.world), {"agg": words, "g": f.gaps, "n": n}, write)


@template(
    "python",
    ("How many rows with {cond} have no {g}?",),
    ("Number of rows lacking {g} where {cond}.",),
)
def missing(draw: Draw) -> Sketch:
    f = draw.world.child
    cond = draw.condition(f, *draw.numbers(f, 1))

    def write(pen: Pen) -> str:
        chosen = where(pen, f.name, compare(pen, f.name, cond), f.gaps)
        return f"result = {chosen}.isna().{call(pen, pen.habit('py_isna', 'sum', 'count'))}"

    return Sketch(frame_schema(draw.world), {"g": f.gaps, "cond": cond.words}, write)


@template(
    "python",
    ("Give the {b} of the row with the {way} {a}.",),
    ("What {b} stands in the row of {way} {a}?",),
)
def extreme_row(draw: Draw) -> Sketch:
    f = draw.world.child
    (a,) = draw.numbers(f, 1)
    b = draw.rng.choice((f.label, *f.categories))
    agg, words = draw.aggregate("max", "min")

    def write(pen: Pen) -> str:
        right, wrong, name = (
            ("idxmax", "max", "py_idxmax") if agg == "max" else ("idxmin", "idxmax", "py_idxmin")
        )
        row = f"{column(f.name, a)}.{pen.habit(name, right, wrong)}()"
        return f"result = {where(pen, f.name, row, b)}"

    return Sketch(frame_schema(draw.world), {"a": a, "b": b, "way": words}, write)


@template(
    "python",
    ("What is the {agg} {a} in rows whose {c} is {v} or {w}?",),
    ("Compute the {agg} {a} for {c} among {v} and {w}.",),
)
def one_of(draw: Draw) -> Sketch:
    f = draw.world.child
    (a,) = draw.numbers(f, 1)
    c = draw.category(f)
    v, w = draw.members(f, c, 2)
    agg, words = draw.aggregate("mean", "sum", "max")

    def write(pen: Pen) -> str:
        values = pen.habit("py_isin", f'["{v}", "{w}"]', f'"{v}", "{w}"')
        mask = f"{column(f.name, c)}.{call(pen, 'isin', values)}"
        return f"result = {where(pen, f.name, mask, a)}" + aggregate(pen, agg)

    return Sketch(frame_schema(draw.world), {"agg": words, "a": a, "c": c, "v": v, "w": w}, write)


@template(
    "python",
    ("What is the spread of {a}, highest minus lowest, in rows with {c} {v}?",),
    ("Compute maximum less minimum {a} where {c} equals {v}.",),
)
def spread(draw: Draw) -> Sketch:
    f = draw.world.child
    (a,) = draw.numbers(f, 1)
    c = draw.category(f)
    (v,) = draw.members(f, c, 1)

    def write(pen: Pen) -> str:
        part = f"part = {f.name}[{equals(pen, f.name, c, v)}" + pen.slip("py_bracket", "]")
        return f'{part}\nresult = part["{a}"].max() - part["{a}"].{call(pen, "min")}'

    return Sketch(frame_schema(draw.world), {"a": a, "c": c, "v": v}, write)
