"""DS-1000's questions: what is kept of them, and that their own tests decide, unseen."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codelutra.asserts import weak_proof
from codelutra.config import SandboxConfig
from codelutra.grading import Grader, gold_program, with_inputs
from codelutra.harness import HarnessError, take_harness_apart
from codelutra.records import Sample, Verdict
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task
from codelutra.tasks.health import check_golds
from codelutra.tasks.stored import import_set
from tests.tasks.published import DATA, DS1000, DS1000_CONTEXT, patient, real_data

RIGHT = 'result = df.assign(total=df.price * factor).set_index("name").total\n'


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def changed(context: str = DS1000_CONTEXT, **about: Any) -> dict[str, Any]:
    return {**DS1000, "code_context": context, "metadata": {**DS1000["metadata"], **about}}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return import_set(write(tmp_path / "ds1000.jsonl", DS1000), "ds")[1][0]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(workers=1)) as sandbox:
        yield sandbox


def verdict(task: Task, sandbox: Sandbox, completion: str) -> Verdict:
    sample = Sample(task.task_id, 0, completion, "train")
    return Grader(sandbox).grade({task.task_id: task}, [sample])[sample.key]


def test_a_question_keeps_its_prompt_its_library_and_its_family(task: Task) -> None:
    assert task.prompt == DS1000["prompt"]
    assert task.task_id == "ds1000-7"
    assert task.tags == ("Pandas", "Semantic")
    assert task.family == "Pandas-3"
    assert not weak_proof(task)
    assert check_golds([task])["gold_ok"] == 1


@pytest.mark.parametrize(
    "completion",
    [
        RIGHT,
        RIGHT + "</code>\nEND SOLUTION\n<code>\nresult = None",
        "<code>\n" + RIGHT + "</code>",
        RIGHT + "\n### END SOLUTION\nnonsense (",
        "```python\n" + RIGHT + "```\nso it is.",
    ],
)
def test_right_programs_however_they_end(task: Task, sandbox: Sandbox, completion: str) -> None:
    found = verdict(task, sandbox, completion)
    assert (found.kind.value, found.detail) == ("correct", "every test holds")


@pytest.mark.parametrize(
    ("completion", "kind", "detail"),
    [
        ("result = df.price * factor", "wrong_result", "case 1: "),
        (
            'result = df.assign(t=df.price * factor).set_index("name").t',
            "wrong_result",
            "case 1: ",
        ),  # a series of another name
        (
            'result = pd.Series([3, 6], index=pd.Index(["a", "b"], name="name"), name="total")',
            "wrong_result",
            "case 2: ",
        ),
        (
            "for _ in range(1):\n    " + RIGHT,
            "wrong_result",
            "the program is not written as the question asks",
        ),
        ("result = df.nothing", "runtime_error", "no attribute 'nothing' (line 5)"),
        ("result = (", "syntax_error", "line 5: "),
        ("result = object()", "runtime_error", "unsupported result type"),
        ("other = 1", "runtime_error", "'result' is not defined"),
    ],
)
def test_wrong_programs(
    task: Task, sandbox: Sandbox, completion: str, kind: str, detail: str
) -> None:
    found = verdict(task, sandbox, completion)
    assert found.kind.value == kind
    assert detail in found.detail


FORGERIES = {
    "a comparison that never complains": "pd.testing.assert_series_equal = lambda *a, **k: None\n"
    "import pandas._testing as t; t.assert_series_equal = lambda *a, **k: None\nresult = 1",
    "an object equal to everything": "class Same:\n    __eq__ = lambda *a: True\nresult = Same()",
    "the harness's own names": "_harness['out'] = lambda value: {'<kind>': 'frame'}\nresult = 1",
    "another test": "exec_test = lambda *a: 1\nresult = 1",
    "leaving early": "import os\nos._exit(0)",
    "a kind that is none": "result = {'<kind>': 'sparse', 'value': 1, 'format': 'os', "
    "'is_array': True}",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes(task: Task, sandbox: Sandbox, name: str) -> None:
    assert verdict(task, sandbox, FORGERIES[name]).kind.value != "correct"


def test_the_process_of_the_program_holds_no_reference(task: Task, sandbox: Sandbox) -> None:
    program = with_inputs(task, "result = 1")
    told = program.setup + program.source + "".join(program.calls)
    for secret in ("generate_ans", "exec_test", "set_index", "assert_series_equal"):
        assert secret not in told
        assert secret in program.tests
    look = (
        "import gc\nseen = [text for text in gc.get_objects() if type(text) is str]\n"
        "seen += [str(d) for d in gc.get_objects() if type(d) is dict and len(d) < 500]\n"
        "found = any('generate_' + 'ans' in text for text in seen)\n"
        "assert not found, 'it is here'\nresult = 1"
    )
    assert "it is here" not in verdict(task, sandbox, look).detail


def test_a_slow_question_has_its_time(task: Task) -> None:
    slow = task.model_copy(update={"timeout_s": 20.0})
    assert gold_program(slow).timeout_s == 20


def test_inputs_drawn_by_chance_are_the_same_where_it_is_judged(
    task: Task, sandbox: Sandbox
) -> None:
    assert {verdict(task, sandbox, RIGHT).kind.value for _ in range(3)} == {"correct"}
    seeds = "np.random.rand(5)\nimport random; random.random()\n"
    assert verdict(task, sandbox, seeds + RIGHT).kind.value == "correct"


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (DS1000_CONTEXT.replace("def define_test_input", "def inputs"), "cannot be told apart"),
        (DS1000_CONTEXT.replace("return df, 3", "return generate_ans((df, 3)), 3"),
         "its inputs are made of its answer"),
        (DS1000_CONTEXT.replace("for i in range(2)", "for i in cases"), "how many cases"),
        (DS1000_CONTEXT.replace("exec_context =", "context ="), "not of the known form"),
        ("def (", "its code_context is no Python"),
        ("def skip_plt_cmds(l): pass\n" + DS1000_CONTEXT, "draws a figure"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_apart_says_why(context: str, reason: str) -> None:
    with pytest.raises(HarnessError, match=reason):
        take_harness_apart(context)


def test_questions_that_cannot_be_judged_here_are_left_out_with_a_reason(tmp_path: Path) -> None:
    missing = DS1000_CONTEXT.replace("import copy", "import copy\nimport no_such_library")
    rows = [
        DS1000,
        changed(missing, problem_id=8),
        changed(DS1000_CONTEXT.replace("import copy", "import copy, torch\nimport torch"),
                problem_id=9),
    ]  # fmt: skip
    stored, tasks = import_set(write(tmp_path / "ds1000.jsonl", *rows), "ds")
    assert [task.task_id for task in tasks] == ["ds1000-7"]
    assert stored.left_out == {
        "ds1000-8": "needs no_such_library, which is not installed",
        "ds1000-9": "gives tensors, which need PyTorch in the sandbox",
    }


@pytest.mark.slow
@real_data
def test_the_published_set_and_every_gold_that_todays_pandas_can_run() -> None:
    stored, tasks = import_set(DATA / "ds1000" / "ds1000.jsonl", "ds")
    assert len(tasks) + len(stored.left_out) == 1000
    report = check_golds([patient(task) for task in tasks])
    # Golds that ask for what numpy and pandas have dropped since; each says what it was.
    gone = ("AttributeError", "TypeError", "KeyError: 0", "ValueError: Invalid frequency",
            "ValueError: time data")  # fmt: skip
    old = [one for one in report["gold_failed"] if any(word in one["reason"] for word in gone)]
    others = [one for one in report["gold_failed"] if one not in old]
    assert all("larger than 1 MiB" in one["reason"] for one in others)
    can_run = len(tasks) - len(old)
    assert can_run - len(others) >= 0.99 * can_run
    for task in tasks:
        assert task.gold.strip() not in task.prompt
