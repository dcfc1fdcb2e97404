"""Tasks in quarantine: who is there, and that runs leave them out."""

import json
from pathlib import Path

import pytest

from codelutra.config import RefineConfig
from codelutra.errors import TaskError
from codelutra.tasks import Task, load_tasks, select_tasks
from codelutra.tasks.quarantine import leave_out_quarantined, quarantine, quarantined, release


def test_tasks_go_in_with_a_reason_and_come_out_again(home: Path) -> None:
    assert quarantined("starter") == {}
    quarantine("starter", {"a": "failing", "b": "empty"})
    quarantine("starter", {"a": "again"})
    assert quarantined("starter") == {"a": "again", "b": "empty"}
    release("starter", ["a", "unknown"])
    assert quarantined("starter") == {"b": "empty"}


def test_a_file_has_a_quarantine_of_its_own_whatever_its_path_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine(str(tmp_path / "a" / "tasks.jsonl"), {"x": "bad"})
    assert quarantined(str(tmp_path / "b" / "tasks.jsonl")) == {}
    monkeypatch.chdir(tmp_path)
    assert quarantined("a/tasks.jsonl") == {"x": "bad"}


def test_a_broken_quarantine_is_no_empty_one(home: Path) -> None:
    quarantine("starter", {"a": "bad"})
    (home / "quarantine" / "starter.json").write_text("{")
    with pytest.raises(TaskError, match="quarantine of starter cannot be read"):
        quarantined("starter")


def tasks() -> list[Task]:
    return [
        Task(task_id=f"{split}-{n}", kind="python", split=split, prompt="p", gold="result = 1")
        for split in ("train", "heldout")
        for n in range(3)
    ]  # fmt: skip


def test_a_run_keeps_the_quarantine_it_was_made_with() -> None:
    quarantine("starter", {"train-1": "bad"})
    config = leave_out_quarantined(RefineConfig())
    release("starter", ["train-1"])
    chosen = select_tasks(tasks(), config)
    assert [task.task_id for task in chosen if task.split == "train"] == ["train-0", "train-2"]
    assert leave_out_quarantined(config) == config
    assert len(select_tasks(tasks(), leave_out_quarantined(RefineConfig()))) == 6


def test_a_split_that_is_all_in_quarantine_is_refused() -> None:
    config = RefineConfig(quarantined=tuple(f"heldout-{n}" for n in range(3)))
    with pytest.raises(TaskError, match="all 3 heldout tasks of starter are in quarantine"):
        select_tasks(tasks(), config)


def test_check_puts_bad_golds_there_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from codelutra.cli import main

    path = tmp_path / "tasks.jsonl"
    golds = {"good": "result = 1", "bad": "result = 1 / 0", "empty": "result = []"}
    path.write_text(
        "".join(
            json.dumps({"task_id": name, "kind": "python", "prompt": "p", "gold": gold}) + "\n"
            for name, gold in golds.items()
        )
    )
    assert main(["tasks", "check", str(path), "--quarantine"]) == 0
    assert json.loads(capsys.readouterr().out)["gold_ok"] == 2
    assert quarantined(str(path)) == {
        "bad": "failing: runtime_error: ZeroDivisionError: division by zero (line 1)"
    }
    assert len(load_tasks(str(path))) == 3


def test_one_kind_is_trained_on_and_all_are_scored() -> None:
    mixed = [
        task.model_copy(update={"kind": "sql"} if task.task_id.endswith("-1") else {})
        for task in tasks()
    ]
    chosen = select_tasks(mixed, RefineConfig(train_kind="sql", validation_share=0))
    assert [task.task_id for task in chosen if task.split == "train"] == ["train-1"]
    assert {task.kind for task in chosen if task.split == "heldout"} == {"sql", "python"}
    with pytest.raises(TaskError, match=r"no train tasks of kind 'go': .* one of \[python, sql\]"):
        select_tasks(mixed, RefineConfig(train_kind="go"))
