"""The command line: bad input is one line on standard error and exit code 2."""

import json
from pathlib import Path

import pytest

from codelutra.cli import config_from, main
from codelutra.config import OpenAIBackend, RefineConfig


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    return line


def write_tasks(folder: Path) -> Path:
    rows = [
        {"task_id": "a", "kind": "python", "prompt": "p", "gold": "result = 2 + 2"},
        {
            "task_id": "b",
            "kind": "python",
            "split": "heldout",
            "prompt": "p",
            "gold": "result = [1, 2]",
        },
    ]
    path = folder / "tasks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_bad_settings_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "iterations" in fails(capsys, "refine", "--iterations", "-1")
    assert "training.mode" in fails(capsys, "refine", "--set", "training.mode=ppo")
    assert "NAME=VALUE" in fails(capsys, "refine", "--set", "nonsense")
    assert "typo" in fails(capsys, "refine", "--set", "typo=1")


def test_an_unknown_model_and_task_set_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "model folder ./gone does not exist" in fails(capsys, "refine", "--model", "./gone")
    assert "no task set 'gone'" in fails(capsys, "refine", "--tasks", "gone")


def test_a_folder_of_another_run_is_not_mixed_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from codelutra.run_folder import RunFolder

    RunFolder(tmp_path / "run", RefineConfig(seed=1))
    message = fails(capsys, "refine", "--out", str(tmp_path / "run"))
    assert "holds a run with other settings" in message


def test_settings_reach_the_configuration_over_the_models_defaults() -> None:
    import argparse

    options = argparse.Namespace(
        config=None,
        tasks="starter",
        model="starter",
        iterations=2,
        seed=None,
        max_train=None,
        max_heldout=7,
        settings=[
            "training.beta=0.3",
            "sampling.num_samples=4",
            "sampling.temperatures=[1.0, 0.8]",
            "generation.backend=openai",
            "generation.base_urls=http://a/v1,http://b/v1",
        ],
    )
    config = config_from(options)
    assert [config.sampling_of(number).temperature for number in (1, 2, 3)] == [1.0, 0.8, 0.8]
    assert config.generation == OpenAIBackend(base_urls=("http://a/v1", "http://b/v1"))
    assert (config.iterations, config.max_heldout) == (2, 7)
    assert (config.training.beta, config.sampling.num_samples) == (0.3, 4)
    assert config.training.learning_rate == 1e-3


def test_judge_grades_in_order_and_names_broken_rows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    predictions = tmp_path / "p.jsonl"
    rows = [("b", "result = [1, 2]"), ("a", "result = 5"), ("b", "result = [")]
    lines = [json.dumps({"task_id": i, "completion": c}) for i, c in rows]
    lines[1:1] = ["{broken", json.dumps({"task_id": "zz", "completion": ""})]
    predictions.write_text("\n".join(lines))
    out = tmp_path / "v.jsonl"
    tasks = str(write_tasks(tmp_path))
    code = main(["judge", "--tasks", tasks, "--predictions", str(predictions), "--out", str(out)])
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert code == 2
    assert ["line 2" in errors[0], "line 3" in errors[1], len(errors)] == [True, True, 2]
    verdicts = [json.loads(line) for line in out.read_text().splitlines()]
    found = [(v["task_id"], v["index"], v["verdict"]) for v in verdicts]
    assert found == [("b", 0, "correct"), ("a", 0, "wrong_result"), ("b", 1, "syntax_error")]


def test_a_full_disk_is_one_clear_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    predictions = tmp_path / "p.jsonl"
    predictions.write_text(json.dumps({"task_id": "a", "completion": "result = 4"}))
    tasks = str(write_tasks(tmp_path))
    message = fails(
        capsys, "judge", "--tasks", tasks, "--predictions", str(predictions), "--out", "/dev/full"
    )
    assert "disk is full" in message


def test_tasks_check_prints_one_json_summary(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_tasks(tmp_path)
    with path.open("a") as file:
        row = {"task_id": "bad", "kind": "python", "prompt": "p", "gold": "result = 1 / 0"}
        file.write(json.dumps(row) + "\n")
    assert main(["tasks", "check", str(path)]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["tasks"], summary["gold_ok"]) == (3, 2)
    (failed,) = summary["gold_failed"]
    assert failed["task_id"] == "bad"
    assert "ZeroDivisionError" in failed["reason"]
    assert summary["empty_gold"] == summary["nondeterministic"] == []


def test_tasks_list_names_the_starter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "list"]) == 0
    assert "starter" in capsys.readouterr().out


def test_doctor_tries_what_a_run_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)}
    assert findings["sandbox"]["ok"]
    assert findings["starter"]["ok"]


def test_doctor_tells_what_a_model_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--model", "starter", "--iterations", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("3,848,448 parameters" in line for line in lines)
    assert any("6,400 programs in 2 iterations" in line for line in lines)
    assert any(line.startswith("training ") and line.endswith("fits") for line in lines)
    assert any("unknown until the smoke test" in line for line in lines)
    assert main(["doctor", "--tasks", "starter", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["estimate"]["parameters"] == 3_848_448
    assert {need["phase"] for need in found["estimate"]["needs"]} >= {"sampling", "training"}


def test_a_model_that_cannot_fit_is_refused_with_what_is_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shape = {
        "hidden_size": 8192,
        "num_hidden_layers": 8000,
        "num_attention_heads": 64,
        "vocab_size": 1000,
    }
    (tmp_path / "config.json").write_text(json.dumps(shape))
    message = fails(capsys, "refine", "--model", str(tmp_path))
    assert "are missing; try a smaller model" in message
    assert main(["doctor", "--model", str(tmp_path)]) == 2
    assert "DOES NOT FIT" in capsys.readouterr().out
