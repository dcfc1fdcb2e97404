"""Judging a file of predictions: every row, in order, whatever some of them hold."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from codelutra.judge import judge
from codelutra.records import Verdict, VerdictKind
from codelutra.tasks.task import Task

GOLDS = {f"t{n}": f"result = {n}" for n in range(20)}
TASKS = {i: Task(task_id=i, kind="python", prompt="p", gold=gold) for i, gold in GOLDS.items()}
PROGRAMS = {
    "correct": "result = {n}",
    "wrong_result": "result = -1 - {n} - {row}",
    "syntax_error": "result = ({n}, {row}",
    "runtime_error": "result = {n} / 0  # {row}",
    "no_code": "",
}


def write_predictions(path: Path, wanted: int) -> list[dict[str, object]]:
    """Predictions with broken rows among them; returns the verdicts they deserve, in order."""
    rng = random.Random(1)
    lines, deserved, seen = [], [], dict.fromkeys(GOLDS, 0)
    for row in range(wanted):
        kind, n = rng.choice(list(PROGRAMS)), rng.randrange(20)
        completion = PROGRAMS[kind].format(n=n, row=row)
        lines.append(json.dumps({"task_id": f"t{n}", "completion": completion}))
        deserved.append({"task_id": f"t{n}", "index": seen[f"t{n}"], "verdict": kind})
        seen[f"t{n}"] += 1
    lines[100:100] = ["{broken", "[1]", '{"task_id": "t1"}', '{"task_id": "t99", "completion": ""}']
    lines.insert(50, "")
    path.write_text("\n".join(lines) + "\n")
    return deserved


def test_hundreds_of_rows_in_order_with_broken_ones_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, out = tmp_path / "p.jsonl", tmp_path / "v.jsonl"
    deserved = write_predictions(predictions, 600)
    broken, counts = judge(TASKS, predictions, out)
    assert [message.removeprefix(f"{predictions}, ") for message in broken] == [
        "line 102: not JSON (Expecting property name enclosed in double quotes at column 2)",
        "line 103: not a JSON object",
        "line 104: `completion` is missing or no text",
        "line 105: task_id 't99' is not in the task set",
    ]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert counts == Counter(row["verdict"] for row in deserved)
    assert [{name: row[name] for name in deserved[0]} for row in rows] == deserved
    assert all(row["detail"] and set(row) == {*deserved[0], "detail", "seconds"} for row in rows)
    assert "600/600" in capsys.readouterr().err  # the progress bar


def test_a_row_is_marked_flaky_only_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grade(self: object, tasks: object, samples: list[object]) -> dict[object, Verdict]:
        keys = [("t1", 0), ("t2", 0)]
        return {key: Verdict(VerdictKind.TIMEOUT, "x", flaky=key[0] == "t2") for key in keys}

    monkeypatch.setattr("codelutra.judge.Grader.grade", grade)
    predictions, out = tmp_path / "p.jsonl", tmp_path / "v.jsonl"
    lines = [json.dumps({"task_id": task_id, "completion": "x"}) for task_id in ("t1", "t2")]
    predictions.write_text("\n".join(lines))
    assert judge(TASKS, predictions, out) == ([], {"timeout": 2})
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row.get("flaky") for row in rows] == [None, True]


def test_a_row_says_how_its_program_was_found(tmp_path: Path) -> None:
    predictions, out = tmp_path / "p.jsonl", tmp_path / "v.jsonl"
    completions = [
        "result = 1",
        "<think>\n?\n</think>\n```python\nresult = 1\n```",
        "I cannot say.",
    ]
    rows = [{"task_id": "t1", "completion": text} for text in completions]
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judge(TASKS, predictions, out)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["verdict"], row.get("extraction")) for row in found] == [
        ("correct", None),
        ("correct", "thought fenced"),
        ("no_code", "only_prose"),
    ]


def test_what_a_person_should_know_is_in_the_row(tmp_path: Path) -> None:
    beside = ("x = f(1)\nassert f(x) == 1",)  # a call needs what another gave
    tasks = {
        "strong": TASKS["t1"],
        "weak": Task(
            task_id="weak", kind="python", prompt="p", gold="def f(x): return 1", tests=beside
        ),
    }
    predictions, out = tmp_path / "p.jsonl", tmp_path / "v.jsonl"
    completions = {"strong": "print('hello')\nresult = 1", "weak": "def f(x): return 1"}
    rows = [{"task_id": name, "completion": text} for name, text in completions.items()]
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judge(tasks, predictions, out)
    strong, weak = (json.loads(line) for line in out.read_text().splitlines())
    assert (strong["verdict"], strong["output"]) == ("correct", "hello\n")
    assert (weak["verdict"], weak["weak_proof"]) == ("correct", True)
    assert not {"weak_proof", "unfenced", "flaky"} & set(strong)
