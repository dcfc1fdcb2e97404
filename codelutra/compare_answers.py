"""Compares two Python answers. Pure; returns None when equal, else one line for a person.

Answers are checked nodes (`sandbox/decoding.py`): plain data, so no code of a program runs here.
"""

import math
from typing import Any

from codelutra.compare_tables import clip, count, floats_equal
from codelutra.sandbox.decoding import Node


def answers_difference(expected: Node, got: Node, where: str = "") -> str | None:
    """Exact types; numbers of numpy count as Python's; floats within tolerance."""
    kinds = kind_of(expected), kind_of(got)
    if kinds[0] != kinds[1]:
        return at(where, f"expected {show(expected)}, got {show(got)}")
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
        "categorical": columns_node_difference,
    }.get(kinds[0])
    if compare is not None:
        return compare(expected, got, where)
    if nodes_equal(expected, got):
        return None
    return at(where, f"expected {show(expected)}, got {show(got)}")


def kind_of(node: Node) -> str:
    return str(node[0]) if isinstance(node, list) else type(node).__name__


def nodes_equal(left: Node, right: Node) -> bool:
    """Leaves of the same kind."""
    if isinstance(left, float):
        return floats_equal(left, right)
    if isinstance(left, list) and left[0] == "complex":
        return floats_equal(left[1], right[1]) and floats_equal(left[2], right[2])
    if isinstance(left, list) and left[0] == "interval":
        return left[1] == right[1] and not any(
            answers_difference(*ends) for ends in zip(left[2:], right[2:], strict=True)
        )
    return bool(left == right)


def sequences_difference(expected: Node, got: Node, where: str) -> str | None:
    if len(expected[1]) != len(got[1]):
        sizes = f"expected {count(len(expected[1]), 'element')}, got {len(got[1])}"
        return at(where, f"{sizes}: {show(got)}")
    for place, pair in enumerate(zip(expected[1], got[1], strict=True)):
        difference = answers_difference(*pair, where=f"{where}[{place}]")
        if difference:
            return difference
    return None


def dicts_difference(expected: Node, got: Node, where: str) -> str | None:
    wanted = {frozen(key): (key, value) for key, value in expected[1]}
    found = {frozen(key): (key, value) for key, value in got[1]}
    pairs = match_keys(list(wanted), list(found))
    for key in wanted:
        if key not in pairs:
            return at(where, f"expected a key {show(wanted[key][0])}, got {show(got)}")
    for key in found.keys() - set(pairs.values()):
        return at(where, f"unexpected key {show(found[key][0])}")
    for key, other in pairs.items():
        inner = f"{where}[{show(wanted[key][0])}]"
        difference = answers_difference(wanted[key][1], found[other][1], inner)
        if difference:
            return difference
    return None


def sets_difference(expected: Node, got: Node, where: str) -> str | None:
    wanted = {frozen(node): node for node in expected[1]}
    found = {frozen(node): node for node in got[1]}
    pairs = match_keys(list(wanted), list(found))
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


def match_keys(left: list[Frozen], right: list[Frozen]) -> dict[Frozen, Frozen]:
    """Pairs equal keys; floats that have no exact partner are paired in order of size."""
    taken = set(left) & set(right)
    pairs = {key: key for key in left if key in taken}
    rest = [
        sorted(key for key in keys if key not in taken and key[0] is float)
        for keys in (left, right)
    ]
    for key, other in zip(*rest, strict=False):
        if floats_equal(key[1], other[1]):
            pairs[key] = other
    return pairs


def arrays_difference(expected: Node, got: Node, where: str) -> str | None:
    if expected[2] != got[2]:
        shapes = tuple(expected[2]), tuple(got[2])
        return at(where, f"expected an array of shape {shapes[0]}, got {shapes[1]}")
    return columns_difference([expected[1], expected[3]], [got[1], got[3]], f"{where}array element")


def columns_difference(expected: Node, got: Node, where: str) -> str | None:
    """[kind, values] of equal meaning: same kind of dtype, same length, equal values."""
    if same_kind(expected[0]) != same_kind(got[0]):
        column = where.removesuffix("row").rstrip()
        return at(column, f"expected dtype {kind_name(expected[0])}, got {kind_name(got[0])}")
    if len(expected[1]) != len(got[1]):
        return at(where, f"expected {count(len(expected[1]), 'value')}, got {len(got[1])}")
    if expected[0] in "biumM" and expected[1] == got[1]:
        return None
    for place, (left, right) in enumerate(zip(expected[1], got[1], strict=True)):
        difference = element_difference(expected[0], left, right, f"{where} {place}")
        if difference:
            return difference
    return None


def element_difference(kind: str, left: Any, right: Any, where: str) -> str | None:
    if is_missing(left) or is_missing(right):
        equal = is_missing(left) and is_missing(right)
    elif kind == "c":
        equal = all(map(floats_equal, left, right))
    else:
        return answers_difference(left, right, where)
    return None if equal else at(where, f"expected {show(left)}, got {show(right)}")


def is_missing(value: Node) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def same_kind(kind: str) -> str:
    return "i" if kind == "u" else kind


def kind_name(kind: str) -> str:
    names = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex", "O": "object"}
    names |= {"M": "datetime", "m": "timedelta", "U": "str", "S": "bytes"}
    return names.get(kind, kind)


def indexes_difference(expected: Node, got: Node, where: str, label: str = "index") -> str | None:
    if len(expected[1]) != len(got[1]):
        return at(where, f"expected {count(len(expected[1]), f'{label} level')}, got {len(got[1])}")
    for left, right in zip(expected[1], got[1], strict=True):
        difference = columns_difference(left, right, f"{where}{label}")
        if difference:
            return difference
    return None


def series_difference(expected: Node, got: Node, where: str) -> str | None:
    if len(expected[3]) != len(got[3]):
        return at(where, f"expected a series of {len(expected[3])}, got {len(got[3])}")
    return indexes_difference(expected[1], got[1], where) or columns_difference(
        expected[2:], got[2:], f"{where}row"
    )


def frames_difference(expected: Node, got: Node, where: str) -> str | None:
    shapes = [(len(node[2][1][0][1]), len(node[3])) for node in (expected, got)]
    if shapes[0] != shapes[1]:
        return at(where, f"expected a frame of {shapes[0]} rows and columns, got {shapes[1]}")
    names = [[["O", level[1]] for level in node[1][1]] for node in (expected, got)]
    difference = indexes_difference(["index", names[0]], ["index", names[1]], where, "column name")
    difference = difference or indexes_difference(expected[2], got[2], where)
    if difference:
        return difference
    for place, (left, right) in enumerate(zip(expected[3], got[3], strict=True)):
        name = ", ".join(show(level[1][place]) for level in expected[1][1])
        difference = columns_difference(left, right, f"{where}column {name} row")
        if difference:
            return difference
    return None


def columns_node_difference(expected: Node, got: Node, where: str) -> str | None:
    return columns_difference(expected[1:], got[1:], f"{where}value")


def at(where: str, text: str) -> str:
    return f"{where}: {text}" if where else text


BRACKETS = {"list": "[]", "tuple": "()", "set": "{}", "frozenset": "{}"}


def show(node: Node) -> str:
    """A short readable form; only the beginning of what is long."""
    if not isinstance(node, list):
        return clip(repr(node))
    tag = str(node[0])
    if tag in BRACKETS:
        first = ", ".join(map(show, node[1][:5])) + (", …" if len(node[1]) > 5 else "")
        return clip(BRACKETS[tag][0] + first + BRACKETS[tag][1])
    if tag == "dict":
        items = [f"{show(key)}: {show(value)}" for key, value in node[1][:5]]
        return clip("{" + ", ".join(items) + (", …" if len(node[1]) > 5 else "") + "}")
    if tag == "ndarray":
        return f"an array of shape {tuple(node[2])}"
    if tag in ("series", "categorical"):
        return f"a {tag} of {len(node[-1])}"
    if tag == "frame":
        return f"a frame of {len(node[2][1][0][1])} rows and {len(node[3])} columns"
    if tag == "index":
        return f"an index of {len(node[1][0][1])}"
    if tag == "bytes":
        return clip(repr(bytes.fromhex(node[1])))
    return clip(" ".join([tag, *(show(part) for part in node[1:] if part is not None)]))
