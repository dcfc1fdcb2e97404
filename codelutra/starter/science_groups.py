"""Science templates that group the rows of a pandas data frame."""

from codelutra.starter.pen import Pen
from codelutra.starter.science_parts import (
    aggregate,
    call,
    column,
    compare,
    frame_schema,
    operator,
    quoted,
    sort_by,
)
from codelutra.starter.sketch import Draw, Sketch, template


@template("python", ("Per {c}, take the {agg} {a}.",), ("For every {c} compute its {agg} {a}.",))
def group_aggregate(draw: Draw) -> Sketch:
    f = draw.world.child
    (a,) = draw.numbers(f, 1)
    c = draw.category(f)
    agg, words = draw.aggregate("mean", "sum", "max", "median")
    return Sketch(
        frame_schema(draw.world),
        {"c": c, "agg": words, "a": a},
        lambda pen: (
            f'result = {f.name}.{call(pen, "groupby", quoted(pen, c))}["{a}"]' + aggregate(pen, agg)
        ),
    )


@template("python", ("Which {c} is the most frequent?",), ("Name the commonest {c}.",))
def most_common(draw: Draw) -> Sketch:
    f = draw.world.child
    c = draw.category(f)
    return Sketch(
        frame_schema(draw.world),
        {"c": c},
        lambda pen: (
            f"result = {column(f.name, c)}.value_counts()."
            + call(pen, pen.habit("py_idxmax", "idxmax", "max"))
        ),
    )


@template(
    "python",
    ("Label rows with {cond} high and the others low, then take the {agg} {b} per label.",),
    ("With band high when {cond} and low otherwise, compute the {agg} {b} per band.",),
)
def bands(draw: Draw) -> Sketch:
    f = draw.world.child
    a, b = draw.numbers(f, 2)
    cond = draw.condition(f, a)
    agg, words = draw.aggregate("mean", "sum", "max")

    def write(pen: Pen) -> str:
        labels = pen.habit("py_where", '"high", "low"', '"low", "high"')
        made = call(
            pen, "np.where", f"{compare(pen, f.name, cond)}{pen.slip('py_comma', ',')} {labels}"
        )
        grouped = f'{f.name}.groupby("band")["{b}"]' + aggregate(pen, agg)
        return f"{column(f.name, 'band')} = {made}\nresult = {grouped}"

    return Sketch(frame_schema(draw.world), {"cond": cond.words, "agg": words, "b": b}, write)


@template(
    "python",
    ("Divide {a} by {b}; what is the {agg} ratio per {c}?",),
    ("For every {c} compute the {agg} ratio of {a} to {b}.",),
)
def ratio(draw: Draw) -> Sketch:
    f = draw.world.child
    a, b = draw.numbers(f, 2)
    c = draw.category(f)
    agg, words = draw.aggregate("mean", "max", "min")

    def write(pen: Pen) -> str:
        right, wrong = f'["{a}"] / {f.name}["{b}"]', f'["{b}"] / {f.name}["{a}"]'
        made = f"{column(f.name, 'ratio')} = {f.name}{pen.habit('py_ratio', right, wrong)}"
        return (
            f'{made}\nresult = {f.name}.{call(pen, "groupby", quoted(pen, c))}["ratio"]'
            + aggregate(pen, agg)
        )

    return Sketch(frame_schema(draw.world), {"a": a, "b": b, "c": c, "agg": words}, write)


@template(
    "python",
    ("List in order the {c} values that occur {bound} times.",),
    ("Sort the {c} entries with a count of {bound}.",),
)
def frequent(draw: Draw) -> Sketch:
    f = draw.world.child
    c = draw.category(f)
    n = draw.small() + 1
    op, bound = draw.comparison(n)

    def write(pen: Pen) -> str:
        chosen = f"counts[counts {operator(pen, op)} {n}].index"
        return (
            f"counts = {column(f.name, c)}.value_counts()\nresult = {call(pen, 'sorted', chosen)}"
        )

    return Sketch(frame_schema(draw.world), {"c": c, "bound": bound}, write)


@template(
    "python",
    ("Which {c} has the highest {agg} {a} among rows with {cond}?",),
    ("Name the {c} of greatest {agg} {a} using {cond} only.",),
)
def group_top(draw: Draw) -> Sketch:
    f = draw.world.child
    a, b = draw.numbers(f, 2)
    c = draw.category(f)
    cond = draw.condition(f, b)
    agg, words = draw.aggregate("mean", "sum")

    def write(pen: Pen) -> str:
        part = f"part = {f.name}[{compare(pen, f.name, cond)}" + pen.slip("py_bracket", "]")
        best = call(pen, pen.habit("py_idxmax", "idxmax", "max"))
        return f'{part}\nresult = part.groupby("{c}")["{a}"]{aggregate(pen, agg)}.{best}'

    return Sketch(
        frame_schema(draw.world), {"agg": words, "a": a, "c": c, "cond": cond.words}, write
    )


@template(
    "python",
    ("Take the {agg} {a} per {c} and keep the {k} highest, highest first.",),
    ("For every {c} compute its {agg} {a}; keep the top {k} in descending order.",),
)
def top_groups(draw: Draw) -> Sketch:
    f = draw.world.child
    (a,) = draw.numbers(f, 1)
    c = draw.category(f)
    k = draw.rng.choice((2, 3))
    agg, words = draw.aggregate("mean", "sum")

    def write(pen: Pen) -> str:
        ranked = sort_by(pen, "", descending=True)
        head = call(pen, "head", pen.habit("py_head", str(k), str(k - 1)))
        totals = f'totals = {f.name}.groupby("{c}")["{a}"]' + aggregate(pen, agg)
        return f"{totals}\nresult = totals.{ranked}.{head}"

    return Sketch(frame_schema(draw.world), {"agg": words, "a": a, "c": c, "k": k}, write)
