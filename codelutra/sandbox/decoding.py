"""Reads an answer that an untrusted process wrote: JSON nodes, every one checked, nothing executed.

A node is None, bool, int, float or str (numpy scalars arrive as these), or a list whose first
element is its tag:

    list tuple set frozenset [nodes]     dict [[key, value]...]     bytes hex
    digest hex (of a long value, at the top only)
    complex re im     datetime|date iso     timedelta microseconds
    datetime64|timedelta64|pd_timedelta ns     timestamp zone ns     period freq ordinal
    interval closed left right     NA     NaT
    ndarray kind [shape] [values]     index [[kind, values]...]     series index kind [values]
    frame columns-index row-index [[kind, values]...]     categorical kind [values]

`kind` is the dtype's kind letter. Values of arrays and columns are nodes, pairs [re, im] for kind
c, nanoseconds for kinds m and M; None is a missing value.
"""

import json
import math
from collections.abc import Callable
from typing import Any

Node = Any

MAX_BYTES = 1 << 20
MAX_DEPTH = 34  # the encoder stops at 32 containers
TOO_LARGE = "result larger than 1 MiB"
NUMBER_TYPES: dict[str, set[type]] = {
    "b": {bool},
    "i": {int},
    "u": {int},
    "f": {float},
    "m": {int},
    "M": {int},
}


def decode(payload: bytes) -> Node:
    """The checked tree. Raises ValueError for anything that the encoder would not write."""
    if len(payload) > MAX_BYTES:
        raise ValueError(TOO_LARGE)
    try:
        node = json.loads(payload)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    check(node, 0)
    return node


def check(node: Node, depth: int) -> None:
    if not isinstance(node, list):
        require(not isinstance(node, dict), "an object")
        return
    require(depth <= MAX_DEPTH, "nested too deeply")
    require(bool(node) and isinstance(node[0], str), "no tag")
    checker = CHECKERS.get(node[0])
    if checker is None:
        raise ValueError(f"unknown tag {node[0][:20]!r}")
    checker(node[1:], depth + 1)


def require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def check_fields(*types: type) -> Callable[[list[Node], int], None]:
    """A checker for fields of exactly these types; NoneType stands for an int or None."""

    def checker(fields: list[Node], _: int) -> None:
        require(len(fields) == len(types), "wrong number of fields")
        for field, wanted in zip(fields, types, strict=True):
            allowed = {int, type(None)} if wanted is type(None) else {wanted}
            require(type(field) in allowed, "a field of the wrong type")

    return checker


def check_nodes(fields: list[Node], depth: int) -> None:
    require(len(fields) == 1 and isinstance(fields[0], list), "no elements")
    for node in fields[0]:
        check(node, depth)


def check_dict(fields: list[Node], depth: int) -> None:
    require(len(fields) == 1 and isinstance(fields[0], list), "no items")
    for item in fields[0]:
        require(isinstance(item, list) and len(item) == 2, "an item that is no pair")
        check(item[0], depth)
        check(item[1], depth)


def check_bytes(fields: list[Node], _: int) -> None:
    require(len(fields) == 1 and isinstance(fields[0], str), "no bytes")
    bytes.fromhex(fields[0])


def check_timestamp(fields: list[Node], _: int) -> None:
    require(len(fields) == 2 and type(fields[1]) in (int, type(None)), "no time")
    require(fields[0] is None or isinstance(fields[0], str), "no zone")


def check_interval(fields: list[Node], depth: int) -> None:
    require(len(fields) == 3 and isinstance(fields[0], str), "no interval")
    check(fields[1], depth)
    check(fields[2], depth)


def check_column(fields: list[Node], depth: int) -> None:
    """[kind, values]"""
    require(len(fields) == 2 and isinstance(fields[0], str), "no kind")
    kind, values = fields
    require(isinstance(values, list), "no values")
    if kind == "c":
        for pair in values:
            real = isinstance(pair, list) and [type(part) for part in pair] == [float, float]
            require(real, "no complex number")
    elif kind in NUMBER_TYPES:
        # A zoned time is a node of its own, everything else a bare number or None.
        odd = {type(value) for value in values} - NUMBER_TYPES[kind] - {type(None)}
        require(not odd or (kind == "M" and odd == {list}), "values of another kind")
        for value in values if odd else ():
            check(value, depth)
    else:
        for value in values:
            check(value, depth)


def check_array(fields: list[Node], depth: int) -> None:
    require(len(fields) == 3 and isinstance(fields[1], list), "no shape")
    kind, shape, values = fields
    require(all(type(side) is int and side >= 0 for side in shape), "a bad shape")
    check_column([kind, values], depth)
    require(math.prod(shape) == len(values), "a shape that does not fit the values")


def check_index(fields: list[Node], depth: int) -> int:
    """Returns the length of the index."""
    require(len(fields) == 1 and isinstance(fields[0], list) and bool(fields[0]), "no levels")
    for level in fields[0]:
        require(isinstance(level, list), "no level")
        check_column(level, depth)
    lengths = {len(level[1]) for level in fields[0]}
    require(len(lengths) == 1, "levels of different length")
    return lengths.pop()


def check_index_node(node: Node, depth: int) -> int:
    require(isinstance(node, list) and node[:1] == ["index"], "no index")
    return check_index(node[1:], depth)


def check_series(fields: list[Node], depth: int) -> None:
    require(len(fields) == 3, "no series")
    length = check_index_node(fields[0], depth)
    check_column(fields[1:], depth)
    require(len(fields[2]) == length, "an index of another length")


def check_frame(fields: list[Node], depth: int) -> None:
    require(len(fields) == 3 and isinstance(fields[2], list), "no frame")
    width = check_index_node(fields[0], depth)
    height = check_index_node(fields[1], depth)
    require(len(fields[2]) == width, "columns without a name")
    for column in fields[2]:
        require(isinstance(column, list), "no column")
        check_column(column, depth)
        require(len(column[1]) == height, "columns of different length")


CHECKERS: dict[str, Callable[[list[Node], int], Any]] = {
    "list": check_nodes,
    "tuple": check_nodes,
    "set": check_nodes,
    "frozenset": check_nodes,
    "dict": check_dict,
    "bytes": check_bytes,
    "digest": check_fields(str),
    "complex": check_fields(float, float),
    "datetime": check_fields(str),
    "date": check_fields(str),
    "timedelta": check_fields(int),
    "datetime64": check_fields(type(None)),
    "timedelta64": check_fields(type(None)),
    "pd_timedelta": check_fields(type(None)),
    "timestamp": check_timestamp,
    "period": check_fields(str, int),
    "interval": check_interval,
    "NA": check_fields(),
    "NaT": check_fields(),
    "ndarray": check_array,
    "index": check_index,
    "series": check_series,
    "frame": check_frame,
    "categorical": check_column,
}
