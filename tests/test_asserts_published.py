"""The tests of MBPP and HumanEval as they are published."""

import gzip
import json
from typing import Any

import pytest

from codelutra.asserts import is_recorded, parts_of, weak_proof
from codelutra.grading import gold_program
from codelutra.tasks.health import check_golds
from codelutra.tasks.task import Task
from tests.tasks.published import DATA, IS_FULL, patient, real_data


def mbpp_task(row: dict[str, Any]) -> Task:
    setup_code = row.get("test_setup_code", "")
    return Task(
        task_id=f"mbpp/{row['task_id']}",
        kind="python",
        prompt=row.get("text") or row["prompt"],
        gold=row["code"],
        setup="\n".join(row.get("test_imports", [])),
        tests=([setup_code] if setup_code else []) + row["test_list"],
    )


def humaneval_task(row: dict[str, Any]) -> Task:
    return Task(
        task_id=row["task_id"],
        kind="python",
        prompt=row["prompt"],
        gold=row["prompt"] + row["canonical_solution"],
        tests=(row["test"],),
        entry_point=row["entry_point"],
    )


def real_tasks(name: str) -> list[Task]:
    if name == "humaneval":
        with gzip.open(DATA / "humaneval" / "HumanEval.jsonl.gz", "rt") as file:
            return [humaneval_task(json.loads(line)) for line in file]
    if name == "sanitized":
        rows = json.loads((DATA / "mbpp" / "sanitized-mbpp.json").read_text())
    else:
        rows = map(json.loads, (DATA / "mbpp" / "mbpp.jsonl").read_text().splitlines())
    return [mbpp_task(row) for row in rows]


@real_data
@pytest.mark.parametrize(
    ("name", "num_tasks", "num_recorded"),
    [("mbpp", 974, 0), ("sanitized", 427, 0), ("humaneval", 164, 6)],
)
def test_every_real_test_is_taken_apart(name: str, num_tasks: int, num_recorded: int) -> None:
    tasks = real_tasks(name)
    assert len(tasks) == num_tasks
    assert not [task.task_id for task in tasks if weak_proof(task)]
    plans = [parts.plan for task in tasks if (parts := parts_of(task))]
    assert sum(map(is_recorded, plans)) == num_recorded


@real_data
def test_what_the_calls_of_humaneval_hold_is_not_the_gold() -> None:
    for task in real_tasks("humaneval"):
        program = gold_program(task).calls
        assert all(call.startswith((task.entry_point, "not not ")) for call in program)


@real_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mbpp", "sanitized", "humaneval"])
def test_every_real_gold_passes(name: str) -> None:
    tasks = real_tasks(name)
    if not IS_FULL:
        tasks = tasks[::2]  # the others' golds are executed in tasks/test_formats.py
    report = check_golds([patient(task) for task in tasks])
    assert report["gold_failed"] == report["nondeterministic"] == []
