"""Which inputs of MBPP+ are tuples, sets or complex numbers, which JSON cannot say.

The table is EvalPlus's own (`mbpp_deserialize_inputs` in its `evalplus/data/mbpp.py`, version
0.3.1, Apache-2.0, github.com/evalplus/evalplus), written anew; so are the functions whose results
count as sets, and those that need only give something (`evalplus/eval/_special_oracle.py`).
"""

import math
from collections.abc import Callable
from typing import Any

Arguments = list[Any]

SET_RESULTS = {
    *("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"),
    *("larg_nnum", "intersection_array", "find_dissimilar", "Diff"),
}
ANY_RESULTS = {"check_str", "text_match_three", "text_starta_endb"}


def each(arguments: Arguments) -> Arguments:
    """Every argument is a tuple."""
    return [tuple(value) for value in arguments]


def each_of_each(arguments: Arguments) -> Arguments:
    """Every argument is a list of tuples."""
    return [[tuple(item) for item in value] for value in arguments]


def all_within(arguments: Arguments) -> Arguments:
    return [all_tuples(value) for value in arguments]


def all_tuples(value: Any) -> Any:
    return tuple(map(all_tuples, value)) if isinstance(value, list) else value


def first_two_of(arguments: Arguments) -> Arguments:
    """A list of tuples, and one more."""
    return [[tuple(item) for item in arguments[0]], arguments[1]]


def tuples_where_lists(arguments: Arguments) -> Arguments:
    first = (tuple(item) if isinstance(item, list) else item for item in arguments[0])
    return [tuple(first)]


TABLE: tuple[tuple[set[int], Callable[[Arguments], Arguments]], ...] = (
    (
        {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630}
        | {726, 740, 744, 809},
        each,
    ),
    ({63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}, each_of_each),
    ({75, 413, 444, 753}, first_two_of),
    ({106, 750}, lambda a: [a[0], tuple(a[1])]),
    ({115}, lambda a: [[set(item) if isinstance(item, list) and item else {} for item in a[0]]]),
    ({124}, lambda a: [float(a[0]), complex(a[1])]),
    ({250, 405, 446, 617, 720, 763, 808}, lambda a: [tuple(a[0]), a[1]]),
    ({259, 401, 445}, lambda a: each(each_of_each(a))),
    ({278}, tuples_where_lists),
    ({307}, lambda a: [tuple(a[0]), a[1], a[2]]),
    ({722}, lambda a: [{key: tuple(value) for key, value in a[0].items()}, *a[1:]]),
    ({252}, lambda a: [complex(a[0])]),
    ({580, 615, 791}, all_within),
)


def with_types(number: int, arguments: Arguments) -> Arguments:
    """The arguments of one call of the MBPP+ task of this number."""
    for numbers, convert in TABLE:
        if number in numbers:
            return convert(arguments)
    return arguments


def as_source(value: Any) -> str:
    """An expression for plain data, infinities and signed zeros among it."""
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return f"float('{value}')"
    if kind is complex:
        return f"complex({as_source(value.real)}, {as_source(value.imag)})"
    if kind is dict:
        pairs = (f"{as_source(key)}: {as_source(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if kind is list:
        return "[" + ", ".join(map(as_source, value)) + "]"
    if kind is tuple:
        return "(" + "".join(f"{as_source(item)}, " for item in value) + ")"
    if kind is set:
        return f"set([{', '.join(map(as_source, value))}])"
    return repr(value)
