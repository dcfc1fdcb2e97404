"""Science templates over a numpy vector or a grid of rows and columns."""

from codelutra.starter.pen import Pen
from codelutra.starter.science_parts import aggregate, call, last, operator, vector_schema
from codelutra.starter.sketch import Draw, Sketch, template
from codelutra.starter.worlds import World


def grid_schema(world: World) -> str:
    return f"{world.grid}: 2-D array"


def _any_number(draw: Draw) -> int:
    values = draw.world.child.values[draw.world.vector]
    return int(draw.rng.choice(values))


@template(
    "python",
    ("What is the {agg} of the values {bound}?",),
    ("Compute the {agg} of elements {bound}.",),
)
def vector_mask(draw: Draw) -> Sketch:
    x, n = draw.world.vector, _any_number(draw)
    op, bound = draw.comparison(n)
    agg, words = draw.aggregate("mean", "sum")
    return Sketch(
        vector_schema(draw.world),
        {"agg": words, "bound": bound},
        lambda pen: (
            f"result = {x}[{x} {operator(pen, op)} {n}{pen.slip('py_bracket', ']')}"
            + aggregate(pen, agg)
        ),
    )


@template(
    "python",
    ("What is the {agg} of the last {k} values?",),
    ("Compute the {agg} of the final {k} elements.",),
)
def last_values(draw: Draw) -> Sketch:
    x, k = draw.world.vector, draw.small()
    agg, words = draw.aggregate("mean", "sum", "max")
    return Sketch(
        vector_schema(draw.world),
        {"agg": words, "k": k},
        lambda pen: f"result = {last(pen, x, k)}" + aggregate(pen, agg),
    )


@template(
    "python",
    ("What is the {agg} of the first {k} values?",),
    ("Compute the {agg} of the opening {k} elements.",),
)
def first_values(draw: Draw) -> Sketch:
    x, k = draw.world.vector, draw.small()
    agg, words = draw.aggregate("mean", "sum", "max")
    return Sketch(
        vector_schema(draw.world),
        {"agg": words, "k": k},
        lambda pen: (
            f"result = {x}[:{pen.habit('py_first', str(k), str(k - 1))}]" + aggregate(pen, agg)
        ),
    )


def _along(pen: Pen, line: str) -> str:
    if line == "row":
        return f"axis={pen.habit('py_rows', '1', '0')}"
    return f"axis={pen.habit('py_columns', '0', '1')}"


@template("python", ("Take the {agg} of each {line}.",), ("Compute a {agg} for every {line}.",))
def along(draw: Draw) -> Sketch:
    g = draw.world.grid
    line = draw.rng.choice(("row", "column"))
    agg, words = draw.aggregate("mean", "sum", "max")

    def write(pen: Pen) -> str:
        method = pen.habit("py_mean", "mean", "sum") if agg == "mean" else agg
        return f"result = {g}.{call(pen, method, _along(pen, line))}"

    return Sketch(grid_schema(draw.world), {"agg": words, "line": line}, write)


@template(
    "python",
    ("Which {line} has the highest {agg}? Give its index.",),
    ("Index of the {line} of greatest {agg}.",),
)
def best_line(draw: Draw) -> Sketch:
    g = draw.world.grid
    line = draw.rng.choice(("row", "column"))
    agg, words = draw.aggregate("sum", "max", "min")
    return Sketch(
        grid_schema(draw.world),
        {"agg": words, "line": line},
        lambda pen: f"result = {call(pen, 'np.argmax', f'{g}.{agg}({_along(pen, line)})')}",
    )


@template("python", ("What is the {agg} of column {k}?",), ("Compute the {agg} over column {k}.",))
def pick_column(draw: Draw) -> Sketch:
    g, k = draw.world.grid, draw.rng.randint(0, 3)
    agg, words = draw.aggregate("mean", "sum", "max", "min")
    return Sketch(
        grid_schema(draw.world),
        {"agg": words, "k": k},
        lambda pen: f"result = {g}[{pen.habit('py_pick', ':, ', '')}{k}]" + aggregate(pen, agg),
    )


@template(
    "python",
    ("With a loop, add up the values {bound}, each times {k}.",),
    ("Loop over elements {bound} and sum them multiplied by {k}.",),
)
def loop_sum(draw: Draw) -> Sketch:
    x, n, k = draw.world.vector, _any_number(draw), draw.small()
    op, bound = draw.comparison(n)

    def write(pen: Pen) -> str:
        test = f"if value {operator(pen, op)} {n}" + pen.slip("py_colon", ":")
        loop = f"for value in {x}:\n    {test}\n        total += value * {k}"
        return f"total = 0\n{loop}\nresult = total"

    return Sketch(vector_schema(draw.world), {"bound": bound, "k": k}, write)


@template(
    "python",
    ("At which index does the running total first reach {n}?",),
    ("Index where the cumulative sum gets to {n}.",),
)
def running(draw: Draw) -> Sketch:
    x, n = draw.world.vector, draw.rng.randint(60, 99)

    def write(pen: Pen) -> str:
        totals = call(pen, f"np.{pen.habit('py_cumsum', 'cumsum', 'sum')}", x)
        return f"totals = {totals}\nresult = np.argmax(totals >= {n})"

    return Sketch(vector_schema(draw.world), {"n": n}, write)


@template(
    "python",
    ("What is the {agg} absolute change from one value to the next?",),
    ("Compute the {agg} step between neighbours, ignoring sign.",),
)
def changes(draw: Draw) -> Sketch:
    x = draw.world.vector
    agg, words = draw.aggregate("mean", "sum", "max")

    def write(pen: Pen) -> str:
        steps = call(pen, "np.diff", x)
        return f"result = {pen.habit('py_abs', f'np.abs({steps})', steps)}" + aggregate(pen, agg)

    return Sketch(vector_schema(draw.world), {"agg": words}, write)


@template(
    "python",
    ("Limit the values to {low} through {high}, then take the {agg}.",),
    ("Clip elements into {low} and {high} and compute the {agg}.",),
)
def clipped(draw: Draw) -> Sketch:
    x = draw.world.vector
    low, high = draw.bounds(draw.world.child, x)
    agg, words = draw.aggregate("mean", "sum")

    def write(pen: Pen) -> str:
        bounds = pen.habit("py_clip", f"{low}, {high}", f"{high}, {low}")
        comma = pen.slip("py_comma", ",")
        return f"result = {call(pen, 'np.clip', f'{x}{comma} {bounds}')}" + aggregate(pen, agg)

    return Sketch(vector_schema(draw.world), {"low": low, "high": high, "agg": words}, write)


@template(
    "python",
    ("What is the {agg} of the {k} highest values?",),
    ("Compute the {agg} of the top {k} elements.",),
)
def top_values(draw: Draw) -> Sketch:
    x, k = draw.world.vector, draw.small()
    agg, words = draw.aggregate("mean", "sum")
    return Sketch(
        vector_schema(draw.world),
        {"agg": words, "k": k},
        lambda pen: f"result = {last(pen, call(pen, 'np.sort', x), k)}" + aggregate(pen, agg),
    )


@template(
    "python",
    ("Subtract the {agg} from each value and divide by the standard deviation.",),
    ("Center all elements on the {agg} and scale by their deviation.",),
)
def standardise(draw: Draw) -> Sketch:
    x = draw.world.vector
    agg, words = draw.aggregate("mean", "median")

    def write(pen: Pen) -> str:
        center = f"{x} - np.{pen.habit('py_mean', 'mean', 'sum') if agg == 'mean' else agg}({x})"
        return f"result = {pen.habit('py_center', f'({center})', center)} / {call(pen, f'{x}.std')}"

    return Sketch(vector_schema(draw.world), {"agg": words}, write)


@template(
    "python",
    ("List the values {bound}, each times {k}.",),
    ("Collect elements {bound} multiplied by {k}.",),
)
def collect(draw: Draw) -> Sketch:
    x, n, k = draw.world.vector, _any_number(draw), draw.small()
    op, bound = draw.comparison(n)

    def write(pen: Pen) -> str:
        items = f"value * {k} for value in {x}.tolist() if value {operator(pen, op)} {n}"
        return f"result = [{items}" + pen.slip("py_bracket", "]")

    return Sketch(vector_schema(draw.world), {"bound": bound, "k": k}, write)
