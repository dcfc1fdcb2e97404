"""A digest stands for a value: the same for what `==` calls equal, another for anything else."""

import sys
from pathlib import Path
from typing import Any

import pytest

import codelutra.sandbox

sys.path.insert(0, str(Path(codelutra.sandbox.__file__).parent / "child"))
from digest import NoDigest, digest
from encoding import MAX_BRIEF, Encoder

del sys.path[0]

EQUAL = [
    ([1, 2, 0], [1.0, True + 1, -0.0]),
    ([2**60, 1], [float(2**60), True]),
    ({1, 2}, frozenset([2, 1])),
    ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}),
    (10**5000, 10**4999 * 10),
]
DIFFERENT = [
    ([1, 2], (1, 2)),
    ([1, 2], [2, 1]),
    ([-1, 0], [-2, 0]),
    ([2**53], [2**53 + 1]),
    (["a", "b"], ["ab"]),
    (["ab", ""], ["a", "b"]),
    ("1", 1),
    ("1", b"1"),
    (None, 0),
    ([[1], [2]], [[1, 2]]),
    ({"a": 1}, {"a": 2}),
    ({1}, {2}),
    ([], ()),
]


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=range(len(EQUAL)))
def test_equal_values_have_the_same_digest(left: Any, right: Any) -> None:
    assert left == right
    assert digest(left) == digest(right)


@pytest.mark.parametrize(("left", "right"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_different_values_have_different_digests(left: Any, right: Any) -> None:
    assert left != right
    assert digest(left) != digest(right)


@pytest.mark.parametrize("value", [0.5, [1, 0.5], float("nan"), float("inf"), object(), 1j])
def test_what_may_be_merely_close_has_none(value: Any) -> None:
    with pytest.raises(NoDigest):
        digest(value)


def test_only_long_values_become_digests() -> None:
    encoder = Encoder()
    assert encoder.encode_brief([1, 2]) == encoder.encode([1, 2])
    assert encoder.encode_brief("x" * (MAX_BRIEF - 2)).startswith(b'"xx')
    assert encoder.encode_brief("x" * MAX_BRIEF).startswith(b'["digest","')
    assert encoder.encode_brief([0.5] * 5000) == encoder.encode([0.5] * 5000)
