"""Science templates that combine several conditions over frames and vectors."""

from codelutra.starter.pen import Pen
from codelutra.starter.science_parts import (
    both,
    call,
    compare,
    equals,
    frame_schema,
    quoted,
    sort_by,
    vector_schema,
)
from codelutra.starter.sketch import Draw, Sketch, template

ORDINALS = {1: "second", 2: "third", 3: "fourth"}


@template(
    "python",
    ("How many rows have {one}, {two} and {c} {v}?",),
    ("Number of rows where {one}, {two}, and {c} equals {v}.",),
)
def three_conditions(draw: Draw) -> Sketch:
    f = draw.world.child
    a, b = draw.numbers(f, 2)
    c = draw.category(f)
    (v,) = draw.members(f, c, 1)
    one, two = draw.condition(f, a), draw.condition(f, b)

    def write(pen: Pen) -> str:
        parts = (compare(pen, f.name, one), compare(pen, f.name, two), equals(pen, f.name, c, v))
        return f"result = {call(pen, 'len', f'{f.name}[{both(pen, *parts)}]')}"

    blanks = {"one": one.words, "two": two.words, "c": c, "v": v}
    return Sketch(frame_schema(draw.world), blanks, write)


@template(
    "python",
    ("Which {l} has the {k} highest {a} among rows with {cond}?",),
    ("Give the {l} at {k} place by descending {a}, using {cond} only.",),
)
def ranked(draw: Draw) -> Sketch:
    f = draw.world.child
    a, b = draw.numbers(f, 2)
    cond = draw.condition(f, b)
    k = draw.rng.choice(tuple(ORDINALS))

    def write(pen: Pen) -> str:
        part = f"part = {f.name}[{compare(pen, f.name, cond)}" + pen.slip("py_bracket", "]")
        rank = sort_by(pen, quoted(pen, a), descending=True)
        place = pen.habit("py_place", str(k), str(k + 1))
        return f'{part}\nresult = part.{rank}["{f.label}"].iloc[{place}]'

    blanks = {"l": f.label, "k": ORDINALS[k], "a": a, "cond": cond.words}
    return Sketch(frame_schema(draw.world), blanks, write)


@template(
    "python",
    ("How many values lie within {d} of {n}?",),
    ("Count elements that differ from {n} by {d} or fewer.",),
)
def within(draw: Draw) -> Sketch:
    x = draw.world.vector
    n, d = draw.rng.randint(15, 50), draw.rng.choice((5, 10))

    def write(pen: Pen) -> str:
        mask = both(pen, f"{x} >= {n - d}", f"{x} <= {n + d}")
        return f"result = {call(pen, 'len', f'{x}[{mask}]')}"

    return Sketch(vector_schema(draw.world), {"n": n, "d": d}, write)
