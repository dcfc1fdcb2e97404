"""HumanEval+ and MBPP+: inputs only are published, and what is expected is what the gold gives."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from codelutra.asserts import with_tests
from codelutra.config import SandboxConfig
from codelutra.errors import TaskError
from codelutra.grading import Grader
from codelutra.records import Sample, Verdict
from codelutra.sandbox import Sandbox
from codelutra.sandbox.python_runner import request_of
from codelutra.tasks import Task, formats
from codelutra.tasks.evalplus_inputs import as_source, with_types
from codelutra.tasks.health import check_golds
from codelutra.tasks.template import fill
from tests.tasks.published import DATA, IS_FULL, patient, real_data

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def half(x):\n    """Half of x.\n    >>> half(2)\n    1.0\n    """\n',
    "entry_point": "half",
    "canonical_solution": "    return x / 2\n",
    "test": "def check(candidate):\n    assert candidate(0) == 99\n",
    "contract": "",
    "base_input": [[1], [-0.5]],
    "plus_input": [[1e300], [123456789]],
    "atol": 0,
}
MBPP = {
    "task_id": "Mbpp/2",
    "prompt": '"""\nWrite a function to find\nwhat is shared.\n'
    'assert similar_elements((1,), (1,)) == 1\n"""\n',
    "entry_point": "similar_elements",
    "canonical_solution": "\ndef similar_elements(a, b):\n  return tuple(set(a) & set(b))\n",
    "base_input": [[[1, 2], [2, 3]]],
    "plus_input": {},
    "atol": 0,
    "contract": "",
    "assertion": "assert similar_elements((1,), (1,)) == 1",
}
Judge = Callable[..., Verdict]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(timeout_s=1, memory_mb=256, workers=1)) as opened:
        yield opened


@pytest.fixture
def judge(sandbox: Sandbox) -> Judge:
    def verdict_of(program: str, **changes: Any) -> Verdict:
        task = load(**changes)
        return Grader(sandbox).grade({task.task_id: task}, [Sample(task.task_id, 0, program)])[
            task.task_id, 0
        ]

    return verdict_of


def load(**row: Any) -> Task:
    """The task of a row as it is published."""
    path = Path(row.pop("path", "rows.jsonl"))
    name, loader = "evalplus", formats.FORMATS["evalplus"][1]
    assert formats.format_of(row) == name
    (draft,) = loader(path, [row]).drafts
    return Task.model_validate({**draft.task, "prompt": fill("{question}{head}", draft.parts)})


def test_humaneval_plus_is_shown_as_published_and_its_old_test_is_not_used() -> None:
    task = load(**HUMANEVAL)
    assert (task.task_id, task.prompt) == ("humanevalplus-0", HUMANEVAL["prompt"])
    assert task.inputs == ("half(1)", "half(-0.5)", "half(1e+300)", "half(123456789)")
    assert (task.tests, task.match, task.tolerance) == ((), "evalplus", None)


def test_mbpp_plus_shows_no_test() -> None:
    task = load(**MBPP)
    text = '"""Write a function to find what is shared."""\ndef similar_elements(a, b):\n'
    assert task.prompt == text
    assert task.inputs == ("set(similar_elements((1, 2, ), (2, 3, )))",)


def test_the_gold_is_in_no_process_that_runs_a_program() -> None:
    task = load(**HUMANEVAL, path="r")
    program = with_tests(task, "def half(x):\n    return 0")
    told = request_of(program, SandboxConfig()) + "".join(program.calls).encode()
    assert b"x / 2" in program.tests.encode()
    assert b"x / 2" not in told


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("def half(x):\n    return x * 0.5", "correct"),
        ("def half(x):\n    return x * 0.5 + 1e-8", "correct"),  # close is enough for floats
        ("def half(x):\n    return x * 0.5 + 1e-4", "wrong_result"),
        ("def half(x):\n    return x // 2", "wrong_result"),
        ("def half(x):\n    return [x * 0.5]", "wrong_result"),
        ("def half(x):\n    return None", "wrong_result"),
        ("def half(x):\n    return object()", "runtime_error"),
        ("def half(x):\n    return x / zero", "runtime_error"),
        ("def half(x):\n    while True: pass", "timeout"),
        ("import sys\ndef half(x):\n    sys.exit(0)", "runtime_error"),
        ("import os\nos._exit(0)", "runtime_error"),
        ("class A:\n    __eq__ = lambda *_: True\ndef half(x):\n    return A()", "runtime_error"),
    ],
)
def test_a_program_is_compared_with_the_gold(judge: Judge, program: str, kind: str) -> None:
    verdict = judge("import math\n" + program, **HUMANEVAL)
    assert verdict.kind == kind, verdict


def test_a_difference_names_the_call(judge: Judge) -> None:
    verdict = judge("def half(x):\n    return 0.5 if x == 1 else 7", **HUMANEVAL)
    assert verdict.detail == "half(-0.5): expected -0.25, got 7"


def test_integers_must_be_equal_even_where_the_task_has_no_floats(judge: Judge) -> None:
    row = {**HUMANEVAL, "canonical_solution": "    return [x, 1]\n"}
    assert judge("def half(x):\n    return [x, 1]", **row).kind == "correct"
    assert judge("def half(x):\n    return [x, 1.0]", **row).kind == "correct"
    assert judge("def half(x):\n    return (x, 1)", **row).kind == "wrong_result"
    assert judge("def half(x):\n    return [x, 1 + 1e-9]", **row).kind == "wrong_result"


def test_a_tolerance_counts_for_all_numbers(judge: Judge) -> None:
    row = {**HUMANEVAL, "canonical_solution": "    return [x, 1]\n", "atol": 0.01}
    assert judge("def half(x):\n    return [x, 1.001]", **row).kind == "correct"
    assert judge("def half(x):\n    return [x, 1.1]", **row).kind == "wrong_result"
    assert judge("def half(x):\n    return (x, 1.001)", **row).kind == "wrong_result"


@pytest.mark.parametrize(
    ("name", "gold", "arguments", "right", "wrong"),
    [
        ("similar_elements", "return tuple(a)", [[1, 2]], "[2, 1, 1]", "(1,)"),
        ("check_str", "return __import__('re').match('x', a)", ["x"], "True", "None"),
        ("check_str", "return __import__('re').match('x', a)", ["y"], "None", "0"),
        ("find_zero", "return -2.0", [[-4, 0, 1]], "2.0", "0.5"),
        ("sum_div", "return 3", [3], "0", "4"),
        ("surface_Area", "return 33", [3, 4], "35", "36"),
        ("digit_distance_nums", "return 18", [99, 100], "19", "20"),
    ],
)
def test_functions_with_many_right_answers_have_rules_of_their_own(
    judge: Judge, name: str, gold: str, arguments: list[Any], right: str, wrong: str
) -> None:
    row = {
        **HUMANEVAL,
        "entry_point": name,
        "prompt": f"def {name}(a, b=0):\n",
        "canonical_solution": f"    {gold}\n",
        "base_input": [arguments],
        "plus_input": [],
        "atol": 1e-4 if name == "find_zero" else 0,
    }
    for answer, kind in ((right, "correct"), (wrong, "wrong_result")):
        verdict = judge(f"def {name}(a, b=0):\n    return {answer}", **row)
        assert verdict.kind == kind, verdict


@pytest.mark.parametrize(
    ("gold", "same", "other"),
    [
        ("'ab' * 3_000_000", "'abab' * 1_500_000", "'ab' * 2_999_999 + 'ba'"),
        ("list(range(300_000))", "[float(n) for n in range(300_000)]", "list(range(1, 300_001))"),
        ("3 ** 100_000", "3 ** 99_999 * 3", "3 ** 100_000 + 1"),
        ("[str(n) for n in range(50_000)]", "list(map(str, range(50_000)))", "['1'] * 50_000"),
    ],
)
def test_very_long_answers_are_compared_whole(
    judge: Judge, gold: str, same: str, other: str
) -> None:
    row = {**HUMANEVAL, "canonical_solution": f"    return {gold}\n", "plus_input": []}
    assert judge(f"def half(x):\n    return {same}", **row).kind == "correct"
    verdict = judge(f"def half(x):\n    return {other}", **row)
    assert verdict.kind == "wrong_result"
    assert "another long value" in verdict.detail


def test_many_floats_need_be_close_only(judge: Judge) -> None:
    row = {**HUMANEVAL, "canonical_solution": "    return [n / 7 for n in range(2000)]\n"}
    program = "def half(x):\n    return [n / 7 + {} for n in range(2000)]"
    assert judge(program.format(1e-9), **row).kind == "correct"
    assert judge(program.format(1e-3), **row).kind == "wrong_result"


def test_a_claimed_digest_is_only_a_wrong_answer(judge: Judge) -> None:
    forged = (
        "def half(x):\n    return 0.5\nimport encoding\n"
        'encoding.Encoder.encode_brief = lambda *_: b\'["digest","00"]\''
    )
    assert judge(forged, **HUMANEVAL).kind in ("wrong_result", "runtime_error")


def test_json_says_neither_tuple_nor_set_nor_complex() -> None:
    assert with_types(63, [[[1], [2]]]) == [[(1,), (2,)]]
    assert with_types(750, [[1], [2, 3]]) == [[1], (2, 3)]
    assert with_types(115, [[[1, 1], [], 3]]) == [[{1}, {}, {}]]
    assert with_types(124, ["0", "-1j"]) == [0.0, -1j]
    assert with_types(580, [[1, [2, [3]]]]) == [(1, (2, (3,)))]
    assert with_types(722, [{"a": [1, 2]}, 6, 7]) == [{"a": (1, 2)}, 6, 7]
    assert with_types(3, [[1]]) == [[1]]


@pytest.mark.parametrize(
    "value",
    [float("inf"), -0.0, complex(-1, -0.0), {"k": ({1}, [None, True])}, set(), "a'\n\"", 10**40],
)
def test_an_argument_arrives_as_it_was(value: object) -> None:
    arrived = eval(as_source(value))
    assert (arrived, repr(arrived), type(arrived)) == (value, repr(value), type(value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plus_input": "x"}, "row 1: `plus_input` is missing or no list of lists"),
        ({"base_input": [1]}, "row 1: `base_input` is missing or no list of lists"),
        ({"base_input": [], "plus_input": []}, "row 1: no inputs"),
        ({"atol": "much"}, "row 1: `atol` is 'much'"),
        ({"entry_point": ""}, "row 1: `entry_point` is missing"),
        ({"task_id": "Mbpp/124"}, "`base_input` has arguments that Mbpp/124 does not take"),
        ({"prompt": '"""\nassert f(1)\n"""'}, "its `prompt` has no sentence"),
        ({"prompt": "write it"}, "its `prompt` is no Python"),
    ],
)
def test_a_row_that_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**MBPP, **changes}))
    with pytest.raises(TaskError, match=message):
        formats.load(path)


def test_a_task_cannot_have_inputs_and_tests() -> None:
    fields = {"task_id": "t", "kind": "python", "prompt": "p", "gold": "def f(): 1"}
    inputs = {"inputs": ("f()",), "entry_point": "f"}
    assert Task.model_validate({**fields, **inputs}).is_tested
    for wrong in ({"tests": ("assert f()",)}, {"entry_point": ""}, {"kind": "sql"}):
        with pytest.raises(ValidationError, match=r"`inputs` (need an|is for python)"):
            Task.model_validate({**fields, **inputs, **wrong})


def test_a_task_may_take_longer_than_the_others(sandbox: Sandbox) -> None:
    gold = "def f():\n    import time\n    while time.process_time() < 1.5: pass\n    return 1"
    task = Task(task_id="t", kind="python", prompt="p", gold=gold, inputs=("f()",), entry_point="f")
    patient = task.model_copy(update={"task_id": "u", "timeout_s": 9.0})
    verdicts = Grader(sandbox).grade(
        {"t": task, "u": patient}, [Sample("t", 0, gold), Sample("u", 0, gold)]
    )
    assert [v.kind for v in verdicts.values()] == ["harness_error", "correct"]


def test_the_judge_of_a_slow_task_has_its_time() -> None:
    task = load(**{**HUMANEVAL, "task_id": "HumanEval/15"})
    program = with_tests(task, "pass")
    assert program.timeout_s == task.timeout_s == 20


REAL = {"HumanEvalPlus-Mini": 164, "MbppPlus": 377, "HumanEvalPlus": 164}
FEW = 5  # inputs of a slow task, all of whose inputs together take half a minute


def affordable(task: Task) -> Task:
    """A dozen slow tasks take most of the time that all do."""
    if IS_FULL or not task.timeout_s:
        return task
    return task.model_copy(update={"inputs": task.inputs[:FEW]})


@real_data
@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_all_golds_of_the_real_sets_hold_and_no_test_is_shown(name: str) -> None:
    published = formats.load(DATA / "evalplus" / f"{name}.jsonl.gz")
    tasks = [
        Task.model_validate({**d.task, "prompt": fill(published.template, d.parts)})
        for d in published.drafts
    ]
    assert not [task.task_id for task in tasks if "\nassert" in task.prompt]
    assert len(tasks) == REAL[name]
    if name == "HumanEvalPlus" and not IS_FULL:
        tasks = tasks[::3]  # all run on the inputs of Mini
    found = check_golds([patient(affordable(task)) for task in tasks])
    assert (found["gold_ok"], found["gold_failed"], found["weak_proof"]) == (len(tasks), [], [])
    assert found["nondeterministic"] == []
