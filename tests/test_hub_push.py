"""Pushing to a Hub that is not there, and to one of a few lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codelutra.adapters import SETTINGS, WEIGHTS
from codelutra.ledger import Ledger
from tests.fake_hub import REPO, Hub, hub
from tests.finished_run import adapters, export, filled
from tests.test_cli import fails

__all__ = ["adapters", "filled", "hub"]


def test_a_push_makes_a_private_repository_with_the_folders_files(
    hub: Hub, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(filled.folder, tmp_path / "out", "--push", REPO) == 0
    assert hub.is_private is True
    assert hub.files == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert (
        f"PeftModel.from_pretrained(model, {json.dumps(REPO)})" in hub.files["README.md"].decode()
    )
    assert f"pushed to {hub.address}/{REPO}" in capsys.readouterr().out


def test_a_repository_holds_the_weights_of_one_export(
    hub: Hub, filled: Ledger, tmp_path: Path
) -> None:
    assert export(filled.folder, tmp_path / "adapter", "--push", REPO) == 0
    hub.files["LICENSE"] = b"mine"
    assert export(filled.folder, tmp_path / "merged", "--merge", "--push", REPO) == 0
    assert not {WEIGHTS, SETTINGS} & hub.files.keys()
    assert {"model.safetensors", "LICENSE"} <= hub.files.keys()


def test_a_public_repository_needs_the_word(
    hub: Hub, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.is_private = False
    wish = ("export", "adapter", str(filled.folder), "--push", REPO, "--out")
    assert "me/mine is public on the Hub already: add --public" in fails(
        capsys, *wish, f"{tmp_path}/a"
    )
    assert hub.files == {}
    assert (tmp_path / "a" / WEIGHTS).exists()
    assert export(filled.folder, tmp_path / "b", "--push", REPO, "--public") == 0
    assert WEIGHTS in hub.files


def test_a_new_repository_is_public_on_demand(hub: Hub, filled: Ledger, tmp_path: Path) -> None:
    assert export(filled.folder, tmp_path / "out", "--push", REPO, "--public") == 0
    assert hub.is_private is False


def test_a_private_repository_is_not_taken_for_a_public_one(
    hub: Hub, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.is_private = True
    wish = ("export", "adapter", str(filled.folder), "--out", str(tmp_path / "out"))
    message = fails(capsys, *wish, "--push", REPO, "--public")
    assert "me/mine is private on the Hub already: leave out --public" in message
    assert hub.files == {}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "run `hf auth login`"),
        (403, "may not write there"),
        (400, "the Hub does not take it ("),
    ],
)
def test_what_the_hub_refuses_is_one_line_and_the_folder_stays(
    status: int,
    reason: str,
    hub: Hub,
    filled: Ledger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.status, out = status, tmp_path / "out"
    wish = ("export", "adapter", str(filled.folder), "--out", str(out), "--push", REPO)
    message = fails(capsys, *wish)
    assert reason in message
    assert f"hf upload {REPO} {out}" in message
    assert (out / WEIGHTS).exists()


def test_an_unreachable_hub_is_one_line_and_the_folder_stays(
    filled: Ledger, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["export", "adapter", str(filled.folder), "--out", str(out), "--push", REPO]
    done = subprocess.run(
        [sys.executable, "-m", "codelutra", *command],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "HF_HOME": str(tmp_path / "hf"),  # without a token
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: not pushed to me/mine, the Hub does not answer (")
    assert f"hf upload me/mine {out}" in line
    assert (out / WEIGHTS).exists()
