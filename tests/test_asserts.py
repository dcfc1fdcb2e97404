"""Assert-style tests through a real sandbox: right, wrong and hostile programs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from codelutra.asserts import execute, weak_proof
from codelutra.config import SandboxConfig
from codelutra.grading import Grader, with_inputs
from codelutra.records import Sample, Verdict
from codelutra.sandbox import Sandbox
from codelutra.tasks.health import check_golds
from codelutra.tasks.task import Task

ADD = "def add(a, b):\n    return a + b"
LINES = ("assert add(1, 2) == 3", "assert add([1], [2]) == [1, 2]", "assert add('a', 'b') == 'ab'")
CHECK = """
def check(candidate):
    for a, b in [(1, 2), (0.5, float("inf")), ([1], [(2,)])]:
        assert candidate(a, b) == a + b
    assert candidate({"k": 1}["k"], 1) < 3, "too much"
"""
WEAK = "x = add(1, 1)\nassert add(x, 1) == 3"
Judge = Callable[..., Verdict]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(timeout_s=0.6, memory_mb=256, workers=1)) as opened:
        yield opened


@pytest.fixture
def judge(sandbox: Sandbox) -> Judge:
    """The verdict of one program; the next good one must still be correct."""

    def verdict_of(program: str, *tests: str, entry_point: str = "", gold: str = ADD) -> Verdict:
        task = task_of(*tests, entry_point=entry_point, gold=gold)
        rows = [Sample("t", 0, program), Sample("t", 1, gold + "\n")]
        verdicts = Grader(sandbox).grade({"t": task}, rows[:1]) | Grader(sandbox).grade(
            {"t": task}, rows[1:]
        )
        assert verdicts["t", 1].kind == "correct", verdicts["t", 1]
        return verdicts["t", 0]

    return verdict_of


def task_of(*tests: str, entry_point: str = "", gold: str = ADD) -> Task:
    return Task(
        task_id="t", kind="python", prompt="p", gold=gold, tests=tests, entry_point=entry_point
    )


STYLES = {"lines": (LINES, ""), "check": ((CHECK,), "add"), "weak": ((WEAK,), "")}


@pytest.mark.parametrize("style", STYLES)
def test_a_right_program_is_correct(style: str, judge: Judge) -> None:
    tests, entry_point = STYLES[style]
    program = "import operator\nadd = operator.add"
    assert judge(program, *tests, entry_point=entry_point).kind == "correct"


@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_program_is_wrong(style: str, judge: Judge) -> None:
    tests, entry_point = STYLES[style]
    program = "def add(a, b): return a if a == 2 else b"
    assert judge(program, *tests, entry_point=entry_point).kind == "wrong_result"


@pytest.mark.parametrize(
    ("program", "test", "detail"),
    [
        ("def add(a, b): return 4", LINES[0], "add(1, 2): expected 3, got 4"),
        ("def add(a, b): return (a, b)", "assert add(1, 2) < 4", "the test raises TypeError: "),
        ("def add(a, b): return 9", "assert add(1, 2) < 4", "does not hold: add(1, 2) < 4"),
        ("def add(a, b): return 0", "assert add(1, 2)", "does not hold: add(1, 2)"),
        ("def add(a, b): return 4", CHECK, "add(a, b): expected 3, got 4"),
        ("def add(a): return 4", LINES[0], "TypeError: add() takes 1 positional argument but 2 "),
        ("def add(a, b): return 1 / 0", LINES[0], "ZeroDivisionError: division by zero (line 1) "),
        ("def sum(a, b): return 3", LINES[0], "NameError: name 'add' is not defined in add(1, 2)"),
        ("def add(a, b)", LINES[0], "line 1: expected ':'"),
    ],
)
def test_a_failure_is_explained_in_a_line(
    program: str, test: str, detail: str, judge: Judge
) -> None:
    verdict = judge(program, test, entry_point="add" if "check" in test else "")
    assert verdict.detail.startswith(detail)


def test_equality_is_that_of_python(judge: Judge) -> None:
    program = (
        "import collections\n"
        "def add(a, b): return True if a == 0 else collections.Counter(a) if b == '' else a + b"
    )
    tests = "assert add(0, 1) == 1", "assert add(1, 2) == 3.0", "assert add({'x': 1}, '') != 2"
    assert judge(program, *tests, gold="def add(a, b): return 1 if a == 0 else 3").kind == "correct"


def test_a_value_counts_as_it_was_when_the_call_returned(judge: Judge) -> None:
    gold = "seen = []\ndef add(a):\n    seen.append(a)\n    return seen"
    tests = "assert add(1) == [1]", "assert add(2) == [1, 2]"
    assert judge("", *tests, gold=gold).kind == "no_code"
    assert judge(gold + "\n\n", *tests, gold=gold).kind == "correct"
    assert (
        judge(gold.replace("[]", "[0]"), *tests, gold=gold).detail[:31]
        == "add(1): expected [1], got [0, 1"
    )


# --- hostile --------------------------------------------------------------------------------

EQUAL = "def __eq__(self, o): return True\n def __lt__(self, o): return True\n __hash__ = None"
FORGE = "import os\ndef send(b): os.write(3, b'R' + len(b).to_bytes(8, 'big') + b)\n"
PATCH = """
import builtins, math, operator, collections
for name in ('abs', 'all', 'any', 'bool', 'len', 'set', 'sorted', 'isinstance', 'AssertionError'):
    setattr(builtins, name, lambda *a, **k: True)
math.isclose = operator.eq = lambda *a, **k: True
def add(a, b): return True
"""
HOSTILE = {
    "always_equal": f"class A:\n {EQUAL}\ndef add(a, b): return A()",
    "equal_int": f"class A(int):\n {EQUAL}\ndef add(a, b): return A(0)",
    "equal_list": f"class A(list):\n {EQUAL}\ndef add(a, b): return [A()]",
    "patched_builtins": PATCH,
    "exit": "import sys\nsys.exit(0)",
    "exit_in_a_call": "import os\ndef add(a, b): os._exit(0)",
    "own_test_names": "_equal = _holds = check = candidate = lambda *a: None\n"
    "_reply = lambda n: 3\ndef add(a, b): return None",
    "patched_replay": "import replay\nreplay.judge = replay.expect_equal = lambda *a: ''\n"
    "replay.play = replay.expect_true = lambda *a: None\ndef add(a, b): return None",
    "swallowed_assertion": "import builtins\nbuiltins.AssertionError = Exception\n"
    "def add(a, b): raise AssertionError",
    "forged_too_few": FORGE + "os.write(3, b'C')\nsend(b'3')\nos._exit(0)",
    "forged_too_many": FORGE + "for _ in range(9): os.write(3, b'C'); send(b'3')\nos._exit(0)",
    "forged_at_once": FORGE + "send(b'[\"list\",[3,3,3]]')\nos._exit(0)",
    "forged_without_asking": FORGE + "def add(a, b):\n send(b'3')\n return 3",
    "forged_verdict": FORGE + "send(b'\"\"')\nos._exit(0)",
    "forged_junk": FORGE + 'send(b\'["list",[["set",[["list",[]]]],0,0,0]]\')\nos._exit(0)',
    "printed_verdict": "print('[\"list\", [3, 3, 3]]')\nprint('OK')\ndef add(a, b): return ''",
    "huge": "def add(a, b): return [0] * 10**6",
    "generator": "def add(a, b): yield a + b",
    "nan": "def add(a, b): return float('nan')",
    "endless": "def add(a, b):\n while True: pass",
}


@pytest.mark.parametrize("style", ["lines", "check"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_is_never_correct(name: str, style: str, judge: Judge) -> None:
    tests, entry_point = STYLES[style]
    verdict = judge(HOSTILE[name], *tests, entry_point=entry_point)
    assert verdict.kind in ("wrong_result", "runtime_error", "timeout")
    assert verdict.detail


HUNT = """
import gc, sys
def texts(thing, depth=0):
    if type(thing) is str:
        yield thing
    elif depth < 6 and type(thing) in (list, tuple, set, frozenset):
        for each in thing: yield from texts(each, depth + 1)
    elif depth < 6 and type(thing) is dict:
        for pair in list(thing.items()): yield from texts(pair, depth + 1)
def add(a, b):
    word, frame, things = ''.join(['EXPEC', 'TED-']), sys._getframe(), gc.get_objects()
    while frame:
        things += [frame.f_locals, frame.f_globals, frame.f_code.co_consts]
        frame = frame.f_back
    things += [m.__dict__ for m in list(sys.modules.values()) if hasattr(m, '__dict__')]
    for thing in things:
        for text in texts(thing):
            at = text.find(word)
            if at >= 0 and text[at + 9:at + 11].isdigit(): return text[at:at + 11]
    return 'nothing'
"""


@pytest.mark.parametrize(
    ("test", "entry_point"),
    [
        ("assert add(1, 2) == 'EXPECTED-73'", ""),
        ("def check(candidate):\n    assert candidate(1, 2) == 'EXPECTED-73'", "add"),
        ("for n, text in [(1, 'EXPECTED-73')]:\n    assert add(n, 2) == text", ""),
    ],
)
def test_what_a_test_expects_is_nowhere_in_the_programs_process(
    test: str, entry_point: str, judge: Judge
) -> None:
    gold = "def add(a, b): return 'EXPECTED-73'"
    verdict = judge(HUNT, test, entry_point=entry_point, gold=gold)
    assert verdict.kind == "wrong_result"
    assert verdict.detail.endswith("expected 'EXPECTED-73', got 'nothing'")


AHEAD = (
    HUNT.replace("EXPEC", "HID").replace("TED-", "DEN-").replace("9:", "7:").replace("11]", "9]")
)


def test_no_program_sees_the_arguments_of_a_later_call(judge: Judge) -> None:
    """Neither in its memory nor in its socket."""
    tests = "assert add(1, 2) == 'no'", "assert add('HIDDEN-42', 2) == 'no'"
    peek = (
        "import os, signal\n"
        "def stop(*_): raise TimeoutError('nothing to read')\n"
        "signal.signal(signal.SIGALRM, stop)\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\n"
        "def add(a, b): return repr(os.read(3, 99))"
    )
    gold = "def add(a, b): return 'no'"
    assert judge(AHEAD, *tests, gold=gold).detail.endswith("expected 'no', got 'nothing'")
    assert "nothing to read" in judge(peek, *tests, gold=gold).detail
    assert judge(AHEAD, tests[1], gold=gold).detail.endswith("expected 'no', got 'HIDDEN-42'")


def test_the_hunt_finds_what_is_there(judge: Judge) -> None:
    verdict = judge(HUNT, "assert add('EXPECTED-55', 1) == 'a'", gold="def add(a, b): return 'a'")
    assert verdict.detail.endswith("got 'EXPECTED-55'")


def test_a_print_flood_in_a_call_changes_no_verdict(sandbox: Sandbox) -> None:
    source = "def add(a, b):\n    for _ in range(9999): print('x' * 99)\n    return a + b"
    result = execute(sandbox, [with_inputs(task_of(*LINES), source)])[0]
    assert (result.value, len(result.output)) == ("", 4097)


# --- tasks ----------------------------------------------------------------------------------


def test_tests_that_fail_on_the_gold_are_our_fault(sandbox: Sandbox) -> None:
    for test, entry_point in (("assert add(1, 2) == 4", ""), (CHECK.replace("<", ">"), "add")):
        task = task_of(test, entry_point=entry_point)
        verdict = Grader(sandbox).grade({"t": task}, [Sample("t", 0, ADD + "\n")])["t", 0]
        assert verdict.kind == "harness_error"
        assert "gold" in verdict.detail
        assert [failed["task_id"] for failed in check_golds([task])["gold_failed"]] == ["t"]


def test_a_weak_proof_is_said() -> None:
    assert [weak_proof(task_of(*tests)) for tests in (LINES, (WEAK,), ())] == [False, True, False]
    assert check_golds([task_of(WEAK)])["weak_proof"] == ["t"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "sql", "tests": LINES}, "`tests` is for python tasks"),
        ({"tests": ("add(1, 2)",)}, "assert nothing"),
        ({"tests": (CHECK,)}, "needs an `entry_point`"),
    ],
)
def test_tests_that_could_never_fail_are_refused(changes: dict[str, Any], message: str) -> None:
    row = {"task_id": "t", "kind": "python", "prompt": "p", "gold": ADD}
    with pytest.raises(ValidationError, match=message):
        Task(**row | changes)


# --- the real task sets ---------------------------------------------------------------------
