"""Settings as text: what is written gives the very same settings when it is read."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from codelutra.cli import _parser, config_from, main
from codelutra.config import RefineConfig
from codelutra.config_text import command_of, config_of, read_yaml, to_yaml
from codelutra.errors import CodeLutraError
from codelutra.presets import PRESETS
from codelutra.tasks.quarantine import leave_out_quarantined, quarantine

CONFIGS: list[dict[str, Any]] = [
    *({"preset": key} for key in PRESETS),
    {"tasks": "my tasks/a'b.jsonl", "model": "/models/x y", "training": {"load_in_4bit": True}},
    {
        "generation": {"backend": "openai", "base_urls": "http://a/v1,http://b/v1", "model": "m"},
        "stop_strings": ("\n\n", 'quote "', "é"),
        "sampling": {"temperatures": (1.0, 0.55), "top_p": 1.0},
        "sandbox": {"timeout_s": 1e-3},
        "training": {"gradient_checkpointing": "on", "learning_rate": 3e-7},
    },
    {"generation": {"backend": "vllm", "max_num_seqs": 7}, "quarantined": ("starter-1",)},
    {"model": "other/model", "seed": 5, "max_train": 3, "pause_before_training": True},
]


def made(settings: dict[str, Any]) -> RefineConfig:
    if "preset" in settings:
        return PRESETS[settings["preset"]].config("starter", "starter")
    return RefineConfig.for_model(**{"model": "starter", **settings})


def read_command(line: str) -> RefineConfig:
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "codelutra", "refine"]
    return config_from(_parser().parse_args(words[3:]))


@pytest.mark.parametrize("settings", CONFIGS, ids=str)
def test_the_command_line_and_the_file_give_the_same_settings(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = made(settings)
    assert read_command(command_of(config)) == config
    assert config_of(read_yaml(to_yaml(config), "f")) == config
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(config))
    assert read_command(f"python -m codelutra refine --config {file}") == config


def test_what_the_command_line_adds_to_a_file_counts(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: starter\niterations: 3\ntraining:\n  beta: 0.2\n  epochs: 3\n")
    config = read_command(
        f"python -m codelutra refine --config {file} --iterations 2 --set training.beta=0.3"
    )
    assert (config.iterations, config.training.beta, config.training.epochs) == (2, 0.3, 3)
    assert config.training.learning_rate == 1e-3  # the starter's


def test_a_command_names_the_quarantine_of_a_run_only_where_todays_is_another() -> None:
    config = leave_out_quarantined(RefineConfig.for_model("starter"))
    quarantine("starter", {"a task": "its gold is wrong"})
    assert "quarantined" not in command_of(RefineConfig.for_model("starter"))
    assert leave_out_quarantined(read_command(command_of(config))) == config
    now = leave_out_quarantined(RefineConfig.for_model("starter"))
    assert now.quarantined == ("a task",)
    assert "quarantined" not in command_of(now)
    assert leave_out_quarantined(read_command(command_of(now))) == now


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: [", "f.yaml, line 1: this is no YAML: expected the node content"),
        ("model: starter\nseed: 1\n  x: 2\n", "f.yaml, line 3: this is no YAML"),
        ("- 1\n", "f.yaml: settings are lines such as `model: starter`"),
        ("", "f.yaml: settings are lines such as `model: starter`"),
        (
            "seed: 1\ntraining:\n  betta: 3\n",
            "f.yaml, line 3: training.betta: there is no such setting: did you mean training.beta?",
        ),
        (
            "training:\n  beta: 0\n",
            "f.yaml, line 2: training.beta: must be greater than 0, not '0'",
        ),
        ("training: 3\n", "f.yaml, line 1: training: must be a valid dictionary"),
        ("seed: 1\nmodel: [a]\n", "f.yaml, line 2: model: "),
        (
            "generation:\n  backend: openai\n  base_urls: [x]\n",
            "f.yaml, line 3: generation.base_urls: 'x' is no address",
        ),
    ],
)
def test_a_wrong_file_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(CodeLutraError) as caught:
        read_yaml(text, "f.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "/nowhere.yaml"), "No such file or directory: /nowhere.yaml"),
        (("--set", "training=3", "--set", "training.beta=1"), "training is a group of settings"),
        (("--set", "epochs=3"), "epochs: there is no such setting: did you mean training.epochs?"),
    ],
)
def test_wrong_settings_on_the_command_line_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["refine", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
