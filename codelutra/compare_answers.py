"""Compares two Python answers. Pure; returns None when equal, else one line for a person.

Answers are checked nodes (`sandbox/decoding.py`): plain data, so no code of a program runs here.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from codelutra.compare_tables import floats_equal
from codelutra.evidence import count, expected_got, show, show_shape
from codelutra.sandbox.decoding import Node

Close = Callable[[float, float], bool]  # are two floats equal within the task's tolerance?
TIMES = {"M": "datetime64", "m": "timedelta64"}  # kinds whose values are bare nanoseconds


def answers_difference(
    expected: Node, got: Node, where: str = "", close: Close = floats_equal
) -> str | None:
    """Exact types; numbers of numpy count as Python's; floats within tolerance."""
    kinds = kind_of(expected), kind_of(got)
    if kinds[0] != kinds[1]:
        return at(where, expected_got(show(expected), show(got)))
    compare = {
        "list": sequences_difference,
        "tuple": sequences_difference,
        "dict": dicts_difference,
        "set": sets_difference,
        "frozenset": sets_difference,
        "ndarray": arrays_difference,
        "index": indexes_difference,
        "series": series_difference,
        "frame": frames_difference,
        "categorical": categoricals_difference,
    }.get(kinds[0])
    if compare is not None:
        return compare(expected, got, where, close)
    if nodes_equal(expected, got, close):
        return None
    return at(where, expected_got(show(expected), show(got)))


def kind_of(node: Node) -> str:
    return str(node[0]) if isinstance(node, list) else type(node).__name__


def nodes_equal(left: Node, right: Node, close: Close) -> bool:
    """Leaves of the same kind."""
    if isinstance(left, float):
        return close(left, right)
    if isinstance(left, list) and left[0] == "complex":
        return close(left[1], right[1]) and close(left[2], right[2])
    if isinstance(left, list) and left[0] == "interval":
        return left[1] == right[1] and not any(
            answers_difference(*ends, close=close) for ends in zip(left[2:], right[2:], strict=True)
        )
    return bool(left == right)


def sequences_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    if len(expected[1]) != len(got[1]):
        sizes = f"expected {count(len(expected[1]), 'element')}, got {len(got[1]):,}"
        return at(where, f"{sizes}: {show(got)}")
    for place, pair in enumerate(zip(expected[1], got[1], strict=True)):
        difference = answers_difference(*pair, f"{where}[{place}]", close)
        if difference:
            return difference
    return None


def dicts_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    wanted = {frozen(key): (key, value) for key, value in expected[1]}
    found = {frozen(key): (key, value) for key, value in got[1]}
    pairs = match_keys(list(wanted), list(found), close)
    for key in wanted:
        if key not in pairs:
            return at(where, f"expected a key {show(wanted[key][0])}, got {show(got)}")
    for key in found.keys() - set(pairs.values()):
        return at(where, f"unexpected key {show(found[key][0])}")
    for key, other in pairs.items():
        inner = f"{where}[{show(wanted[key][0])}]"
        difference = answers_difference(wanted[key][1], found[other][1], inner, close)
        if difference:
            return difference
    return None


def sets_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    wanted = {frozen(node): node for node in expected[1]}
    found = {frozen(node): node for node in got[1]}
    pairs = match_keys(list(wanted), list(found), close)
    for key in wanted:
        if key not in pairs:
            return at(where, f"expected an element {show(wanted[key])}, got {show(got)}")
    for key in found.keys() - set(pairs.values()):
        return at(where, f"unexpected element {show(found[key])}")
    return None


Frozen = Any


def frozen(node: Node) -> Frozen:
    """A hashable form that keeps types apart."""
    if not isinstance(node, list):
        return type(node), node
    if node[0] in ("set", "frozenset"):
        return node[0], frozenset(map(frozen, node[1]))
    return tuple(frozen(part) if isinstance(part, list) else (type(part), part) for part in node)


def match_keys(left: list[Frozen], right: list[Frozen], close: Close) -> dict[Frozen, Frozen]:
    """Pairs equal keys; floats that have no exact partner are paired in order of size."""
    taken = set(left) & set(right)
    pairs = {key: key for key in left if key in taken}
    rest = [
        sorted(key for key in keys if key not in taken and key[0] is float)
        for keys in (left, right)
    ]
    for key, other in zip(*rest, strict=False):
        if close(key[1], other[1]):
            pairs[key] = other
    return pairs


def arrays_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    shape = expected[2]
    if shape != got[2]:
        shapes = f"expected an array of shape {tuple(shape)}, got {tuple(got[2])}"
        return at(where, shapes)
    values = [expected[1], expected[3]], [got[1], got[3]]
    return columns_difference(
        *values, inside(where, "array"), close, lambda place: f"element {subscript(place, shape)}"
    )


def columns_difference(
    expected: Node, got: Node, where: str, close: Close, name: Callable[[int], str] = str
) -> str | None:
    """[kind, values] of equal meaning: same kind of dtype, same length, equal values.

    `name` says which value one is by its place.
    """
    kind = same_kind(expected[0])
    if kind != same_kind(got[0]):
        return at(where, f"expected dtype {kind_name(expected[0])}, got {kind_name(got[0])}")
    if len(expected[1]) != len(got[1]):
        return at(where, f"expected {count(len(expected[1]), 'value')}, got {len(got[1]):,}")
    if kind in "bimM" and expected[1] == got[1]:
        return None
    for place, (left, right) in enumerate(zip(expected[1], got[1], strict=True)):
        difference = element_difference(kind, left, right, inside(where, name(place)), close)
        if difference:
            return difference
    return None


def element_difference(kind: str, left: Any, right: Any, where: str, close: Close) -> str | None:
    left, right = (element_node(kind, value) for value in (left, right))
    if not is_missing(left) and not is_missing(right):
        return answers_difference(left, right, where, close)
    if is_missing(left) and is_missing(right):
        return None
    return at(where, expected_got(show(left), show(right)))


def element_node(kind: str, value: Any) -> Node:
    """A bare value of an array or a column as a node that says its type."""
    if kind == "c" and value is not None:
        return ["complex", *value]
    return [TIMES[kind], value] if kind in TIMES and type(value) is int else value


def is_missing(value: Node) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def same_kind(kind: str) -> str:
    return "i" if kind == "u" else kind


def kind_name(kind: str) -> str:
    names = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex", "O": "object"}
    names |= {"M": "datetime", "m": "timedelta", "U": "str", "S": "bytes"}
    return names.get(kind, kind)


def subscript(place: int, shape: Sequence[int]) -> str:
    """Where the element is in the array: `2`, or `[0, 2]` with several dimensions."""
    places: list[int] = []
    for side in reversed(shape):
        place, rest = divmod(place, side)
        places.insert(0, rest)
    return str(places[0]) if len(places) == 1 else str(places)


def indexes_difference(
    expected: Node, got: Node, where: str, close: Close, label: str = "index"
) -> str | None:
    if len(expected[1]) != len(got[1]):
        sizes = f"expected {count(len(expected[1]), f'{label} level')}, got {len(got[1])}"
        return at(where, sizes)
    for left, right in zip(expected[1], got[1], strict=True):
        difference = columns_difference(left, right, inside(where, label), close)
        if difference:
            return difference
    return None


def series_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    if len(expected[3]) != len(got[3]):
        sizes = f"expected a series of {count(len(expected[3]), 'value')}, got {len(got[3]):,}"
        return at(where, sizes)
    return indexes_difference(expected[1], got[1], where, close) or columns_difference(
        expected[2:], got[2:], where, close, row_name
    )


def frames_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    shapes = [(len(node[2][1][0][1]), len(node[3])) for node in (expected, got)]
    if shapes[0] != shapes[1]:
        sizes = f"expected a frame of {show_shape(*shapes[0])}, got {show_shape(*shapes[1])}"
        return at(where, sizes)
    names = [["index", [["O", level[1]] for level in node[1][1]]] for node in (expected, got)]
    difference = indexes_difference(names[0], names[1], where, close, "column name")
    difference = difference or indexes_difference(expected[2], got[2], where, close)
    if difference:
        return difference
    for place, (left, right) in enumerate(zip(expected[3], got[3], strict=True)):
        name = ", ".join(show(level[1][place]) for level in expected[1][1])
        column = inside(where, f"column {name}")
        difference = columns_difference(left, right, column, close, row_name)
        if difference:
            return difference
    return None


def categoricals_difference(expected: Node, got: Node, where: str, close: Close) -> str | None:
    return columns_difference(expected[1:], got[1:], where, close, lambda place: f"value {place}")


def row_name(place: int) -> str:
    return f"row {place}"


def inside(where: str, part: str) -> str:
    return f"{where} {part}" if where else part


def at(where: str, text: str) -> str:
    return f"{where}: {text}" if where else text
