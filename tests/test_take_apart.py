"""What goes to the program's process: its calls, and nothing that a test expects."""

import json
from typing import Any

import pytest

from codelutra.take_apart import take_apart

GOLD = "def f(*a): return a\ndef g(x): return x\nclass Pair: pass"


def parts(*tests: str, entry_point: str = "") -> tuple[tuple[str, ...], dict[str, Any]]:
    found = take_apart("", GOLD, tests, entry_point)
    assert found is not None
    return found.calls, json.loads(found.plan)


@pytest.mark.parametrize(
    ("test", "call", "played"),
    [
        ("assert f(1, 2) == [3]", "f(1, 2)", "_equal(_reply(0), [3], 'f(1, 2)')"),
        ("assert [3] == f(1)", "f(1)", "_equal(_reply(0), [3], 'f(1)')"),
        ("assert f(1) == g(2)", "f(1)", "_equal(_reply(0), _reply(1), 'f(1)')"),
        ("assert f(g(1)) == 2", "f(g(1))", "_equal(_reply(0), 2, 'f(g(1))')"),
        ("assert f(Pair()) == 1, 'why'", "f(Pair())", "_equal(_reply(0), 1, 'f(Pair())')"),
        ("assert set(f(1)) == {2}", "f(1)", "_equal(set(_reply(0)), {2}, 'set(f(1))')"),
        ("assert abs(f(1) - 3) < 1", "f(1)", "_holds(abs(_reply(0) - 3) < 1, 'abs(f(1) - 3) < 1')"),
        ("assert f(1) != 2", "f(1)", "_holds(_reply(0) != 2, 'f(1) != 2')"),
        ("assert f(1) in (2, 3)", "f(1)", "_holds(_reply(0) in (2, 3), 'f(1) in (2, 3)')"),
        ("assert f(1) is True", "f(1)", "_holds(_reply(0) is True, 'f(1) is True')"),
        ("assert f(1)", "not not f(1)", "_holds(_reply(0), 'f(1)')"),
        ("assert not f(1)", "not not f(1)", "_holds(not _reply(0), 'not f(1)')"),
        ("assert f(lambda x: x) == 1", "f(lambda x: x)", None),
        ("assert f([x for x in 'a']) == 1", "f([x for x in 'a'])", None),
    ],
)
def test_a_call_with_its_own_arguments_is_written_out(
    test: str, call: str, played: str | None
) -> None:
    calls, plan = parts(test)
    assert calls[0] == call
    assert not plan["recorded"]
    assert played is None or plan["tests"] == [[played, False]]


def test_the_function_that_check_is_handed_goes_by_its_own_name() -> None:
    check = "def check(candidate):\n    assert candidate(1) == f(2)"
    calls, plan = parts(check, entry_point="f")
    assert calls == ("f(1)",)  # f(2) in the test is the gold's
    assert plan["tests"][0][0].endswith("_equal(_reply(0), f(2), 'f(1)')")


@pytest.mark.parametrize(
    "test",
    [
        "for x in (1, 2):\n    assert f(x) == x",
        "y = 3\nassert f(y) == 3",
        "assert all(f(n) == n for n in range(3))",
        "assert list(map(f, [1])) == [1] and f(1)",
        "import math\nassert f(math.pi) == 3",
        "rows = []\nfor x in (1, 2):\n    rows.append(x)\n    y = f(list(rows))\n    assert y",
    ],
)
def test_arguments_that_the_test_works_out_are_recorded(test: str) -> None:
    calls, plan = parts(test)
    assert calls == ()
    assert plan["recorded"]


def test_a_text_without_an_assert_is_input_for_everybody() -> None:
    calls, plan = parts("root = Pair()", "assert f(root) == 1")
    assert calls == ("exec('root = Pair()')", "f(root)")
    assert plan["inputs"] == ["root = Pair()"]
    assert not plan["recorded"]


@pytest.mark.parametrize(
    "tests",
    [
        ("assert f(",),
        ("assert 1 == 1",),
        ("assert f(1) == 1", "np.testing.assert_equal(f(2), 2)"),
        ("assert Pair() != 1",),
        ("x = f(1)\nassert f(x) == 2",),
        ("x = []\nx.append(f(1))\nassert f(x) == 2",),
        ("x = 1\nfor n in range(9):\n    x = f(x)\nassert x == 2",),
        ("for n in range(3):\n    assert f(f(n)) == n",),
    ],
)
def test_what_cannot_be_judged_outside_is_said(tests: tuple[str, ...]) -> None:
    assert take_apart("", GOLD, tests, "") is None
