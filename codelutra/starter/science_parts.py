"""Pieces of Python that several templates write, each with its own habits and slips."""

from codelutra.starter.pen import Pen
from codelutra.starter.sketch import Condition
from codelutra.starter.worlds import World


def frame_schema(world: World) -> str:
    return f"{world.child.name}: DataFrame({', '.join(world.child.columns)})"


def vector_schema(world: World) -> str:
    return f"{world.vector}: 1-D array"


def operator(pen: Pen, op: str) -> str:
    if op == ">=":
        return pen.habit("py_ge", ">=", ">")
    return pen.habit("py_le", "<=", "<") if op == "<=" else op


def column(frame: str, name: str) -> str:
    return f'{frame}["{name}"]'


def compare(pen: Pen, frame: str, cond: Condition) -> str:
    return f"{column(frame, cond.column)} {operator(pen, cond.op)} {cond.number}"


def equals(pen: Pen, frame: str, name: str, value: str) -> str:
    return f'{column(frame, name)} {pen.slip("py_equal", "==", "=")} "{value}' + pen.slip(
        "py_quote", '"'
    )


def both(pen: Pen, *parts: str) -> str:
    """All conditions of a mask together."""
    sign = pen.habit("py_and", " & ", " and ")
    bare = sign.join(parts)
    return pen.habit("py_mask", sign.join(f"({part})" for part in parts), bare)


def where(pen: Pen, frame: str, mask: str, name: str) -> str:
    return f'{frame}.loc[{mask}, "{name}"' + pen.slip("py_bracket", "]")


def call(pen: Pen, function: str, argument: str = "") -> str:
    return f"{function}({argument}" + pen.slip("py_call", ")")


def aggregate(pen: Pen, name: str) -> str:
    """The call of an aggregate method, dot included."""
    if name == "mean":
        name = pen.habit("py_mean", "mean", "sum")
    elif name == "median":
        name = pen.habit("py_median", "median", "mean")
    return call(pen, f".{name}")


def last(pen: Pen, array: str, count: int) -> str:
    return f"{array}[-{count}{pen.habit('py_last', ':', '')}]"


def quoted(pen: Pen, name: str) -> str:
    return f'"{name}' + pen.slip("py_quote", '"')


def sort_by(pen: Pen, by: str, descending: bool) -> str:
    """Sorting by a quoted column, or by the values themselves if `by` is empty."""
    if not descending:
        return call(pen, "sort_values", by)
    comma = pen.slip("py_comma", ",") + " " if by else ""
    return call(pen, "sort_values", by + pen.habit("py_ascending", f"{comma}ascending=False", ""))
