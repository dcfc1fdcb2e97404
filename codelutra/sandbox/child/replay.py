"""Plays a task's tests on the values that a program returned, in a fenced process of our own.

The gold and the tests are here, the program never is: its values arrive as JSON nodes. What they
are made of is explained in `codelutra/asserts.py`, which writes the plans.
"""

import datetime
import itertools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import compare_inputs

MAX_SHOWN = 80  # characters of a value in a message
PLAIN = {type(None), bool, int, float, complex, str, bytes}
NO_KINDS: Mapping[str, Callable[..., Any]] = {}
Stub = Callable[[str, Callable[..., Any]], Callable[..., Any]]  # of a function and its name


class Failed(Exception):
    """A test does not hold; the message is for a person."""


class Diverged(BaseException):
    """The tests make other calls than they made of the gold: no test may swallow this."""


def record(plan: str) -> list[str]:
    """The calls that the tests make of the gold, as expressions."""
    calls: list[str] = []

    def stub(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            calls.append(call_text(name, args, options))
            return function(*args, **options)

        return called

    play(json.loads(plan), stub, None)
    return calls


def judge(plan: str, calls: list[str], replies: str) -> str:
    """'' when every test holds, else what does not. `calls` is [] for a written plan."""
    nodes = json.loads(replies)
    if "oracle" in json.loads(plan):
        return compare(json.loads(plan), calls, nodes)
    places = itertools.count()
    last = ""

    def reply(place: int) -> Any:
        nonlocal last
        value = rebuild(nodes[place])
        last = f" (the last call gave {show(value)})"
        return value

    def stub(name: str, _: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            place = next(places)
            if calls[place : place + 1] != [call_text(name, args, options)]:
                raise Diverged(f"call {place + 1} depends on what an earlier call gave")
            return reply(place)

        return called

    try:
        play(json.loads(plan), stub if calls else None, reply)
    except Failed as failure:
        return str(failure)
    except Exception as error:
        return f"the test raises {type(error).__name__}: {error}{last}"
    return ""


def compare(plan: dict[str, Any], calls: list[str], nodes: list[Any]) -> str:
    """'' when each value is what the gold gives for the same call, else the first that is not."""
    gold: dict[str, Any] = {"__name__": "__main__"}
    for text in (plan["setup"], plan["gold"]):
        exec(text, gold)
    own = {**gold, plan["name"]: lambda *args: args}
    for call, node in zip(calls, nodes, strict=True):
        expected = eval(call, gold)
        if isinstance(node, list) and node[0] == "digest":
            if not compare_inputs.is_same_digest(node[1], expected):
                return f"{cut(call)}: expected {show(expected)}, got another long value"
            continue
        try:
            got = rebuild(node)
            arguments = eval(call, own) if plan["oracle"] in compare_inputs.ORACLES else ()
            is_right = compare_inputs.holds(
                plan["oracle"], arguments, got, expected, plan["tolerance"]
            )
        except Failed as failure:
            return f"{cut(call)}: {failure}"
        except Exception as error:
            return f"{cut(call)}: comparing {show(got)} raises {type(error).__name__}: {error}"
        if not is_right:
            return f"{cut(call)}: expected {show(expected)}, got {show(got)}"
    return ""


def play(plan: dict[str, Any], stub: Stub | None, reply: Callable[[int], Any] | None) -> None:
    random.seed(0)  # a test that draws its inputs draws the same ones every time
    gold: dict[str, Any] = {"__name__": "__main__"}
    for text in (plan["setup"], plan["gold"], *plan["inputs"]):
        exec(text, gold)
    # A copy: a gold that calls itself must not find the stub.
    tests = gold | {"_equal": expect_equal, "_holds": expect_true, "_reply": reply}
    stubs = {name: stub(name, gold[name]) for name in plan["names"]} if stub else {}
    for text, is_check in plan["tests"]:
        # `check` is handed the program's function; what else it calls by name is the gold's.
        exec(text, tests if is_check else tests | stubs)
        if is_check:
            tests["check"](stubs.get(plan["names"][0]))


def expect_equal(got: Any, expected: Any, source: str) -> None:
    if not (got == expected):
        raise Failed(f"{source}: expected {show(expected)}, got {show(got)}")


def expect_true(value: Any, source: str) -> None:
    if not value:
        raise Failed(f"does not hold: {source}")


def show(value: Any) -> str:
    try:
        return cut(repr(value))
    except ValueError:  # thousands of digits
        return "a very large number"


def cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def rebuild(node: Any, kinds: Mapping[str, Callable[..., Any]] = NO_KINDS) -> Any:
    """The Python value of a node (`sandbox/decoding.py`); `kinds` makes those of more tags."""
    if not isinstance(node, list):
        return node
    tag, *fields = node
    if tag in kinds:
        return kinds[tag](*fields)
    if tag in ("list", "tuple", "set", "frozenset"):
        kind = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[tag]
        return kind(rebuild(each, kinds) for each in fields[0])
    if tag == "dict":
        return {rebuild(key, kinds): rebuild(value, kinds) for key, value in fields[0]}
    if tag == "bytes":
        return bytes.fromhex(fields[0])
    if tag == "complex":
        return complex(*fields)
    if tag == "datetime":
        return datetime.datetime.fromisoformat(fields[0])
    if tag == "date":
        return datetime.date.fromisoformat(fields[0])
    if tag == "timedelta":
        return datetime.timedelta(microseconds=fields[0])
    raise Failed(f"expected plain data, got a value of type {tag}")


def call_text(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> str:
    parts = [*map(value_text, args), *(f"{key}={value_text(v)}" for key, v in options.items())]
    return f"{name}({', '.join(parts)})"


def value_text(value: Any) -> str:
    """An expression for plain data; TypeError for anything else."""
    kind = type(value)
    if kind is float and value - value != 0:  # inf and nan have no literal
        return f"float('{value}')"
    if kind in PLAIN:
        return repr(value)
    if kind is dict:
        items = (f"{value_text(key)}: {value_text(each)}" for key, each in value.items())
        return "{" + ", ".join(items) + "}"
    if kind is list:
        return "[" + ", ".join(map(value_text, value)) + "]"
    if kind is tuple:
        return "(" + "".join(value_text(each) + ", " for each in value) + ")"
    if kind in (set, frozenset):
        return f"{kind.__name__}([{', '.join(map(value_text, value))}])"
    raise TypeError(f"an argument of type {kind.__name__} cannot be handed to another process")
