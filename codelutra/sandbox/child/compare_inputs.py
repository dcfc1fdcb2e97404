"""Compares what a program returned on inputs with what the gold returns on them, as EvalPlus does.

Runs where the gold is and the program is not. The rules are those of EvalPlus 0.3.1 (Apache-2.0,
github.com/evalplus/evalplus, `evalplus/eval`), written anew: equal, or floats that are close; and
for a few functions whose right answers are many, rules of their own.
"""

import math
from collections.abc import Callable
from typing import Any

from digest import NoDigest, digest

RELATIVE = 1e-7
DEFAULT_TOLERANCE = 1e-6  # where the gold gives floats and the task names none
NUMBERS = (int, float, complex)


def is_same(got: Any, expected: Any, tolerance: float) -> bool:
    """Floats, and all numbers where the task has a tolerance, need to be close only."""
    if got == expected:
        return True
    if not tolerance and is_floats(expected):
        tolerance = DEFAULT_TOLERANCE
    return bool(tolerance) and type(got) is type(expected) and is_close(got, expected, tolerance)


def is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple) and value:
        return all(isinstance(each, float) for each in value)
    return isinstance(value, float)


def is_close(got: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        pairs = zip(got, expected, strict=False)
        return len(got) == len(expected) and all(is_close(a, b, tolerance) for a, b in pairs)
    if not isinstance(got, NUMBERS) or not isinstance(expected, NUMBERS):
        return False
    if got == expected:  # infinities, too
        return True
    return bool(abs(got - expected) <= tolerance + RELATIVE * abs(expected) < math.inf)


def is_same_digest(got: str, expected: Any) -> bool:
    try:
        return bool(got == digest(expected))
    except NoDigest:
        return False


def is_zero(arguments: tuple[Any, ...], got: Any, tolerance: float) -> bool:
    """HumanEval/32: any zero of the polynomial will do."""
    (coefficients,) = arguments
    value = sum(factor * math.pow(got, power) for power, factor in enumerate(coefficients))
    return bool(abs(value) <= tolerance)


def is_area_of_height(arguments: tuple[Any, ...], got: Any, tolerance: float) -> bool:
    """Mbpp/581: the second argument may be the height, too, where the gold has the slant height."""
    base, height = arguments
    area = base**2 + 2 * base * math.sqrt((base / 2) ** 2 + height**2)
    return bool(abs(got - round(area)) <= tolerance)


def is_distance_in_place(arguments: tuple[Any, ...], got: Any, _: float) -> bool:
    """Mbpp/558: digits may be compared place by place, where the gold adds up a difference's."""
    one, other = map(str, arguments)
    width = max(len(one), len(other))
    places = zip(one.zfill(width), other.zfill(width), strict=True)
    return bool(got == sum(abs(int(a) - int(b)) for a, b in places))


Oracle = Callable[[tuple[Any, ...], Any, float], bool]
ONLY: dict[str, Oracle] = {"find_zero": is_zero}  # whatever the gold gives
ALSO: dict[str, Oracle] = {  # beside what the gold gives
    "are_equivalent": lambda *_: True,
    "sum_div": lambda _, got, __: bool(got == 0),
    "surface_Area": is_area_of_height,
    "digit_distance_nums": is_distance_in_place,
}
ORACLES = ONLY | ALSO


def holds(name: str, arguments: tuple[Any, ...], got: Any, expected: Any, tolerance: float) -> bool:
    """By the rules of the function of this name; '' has none of its own."""
    if name in ONLY:
        return ONLY[name](arguments, got, tolerance)
    if is_same(got, expected, tolerance):
        return True
    return name in ALSO and ALSO[name](arguments, got, tolerance)
