"""What others made is brought here whole, pinned and checked, or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from codelutra.adapters import MANIFEST, SETTINGS, WEIGHTS
from codelutra.cli import main
from codelutra.ledger import Ledger
from codelutra.models import check_model, file_sha256
from tests.fake_hub import REPO, SHA, Hub, hub
from tests.finished_run import adapters, export, filled
from tests.test_cli import fails

__all__ = ["adapters", "filled", "hub"]

ROW = {"prompt": "p", "chosen": "a", "rejected": "b"}


@pytest.fixture
def pushed(hub: Hub, filled: Ledger, tmp_path: Path) -> Hub:
    assert export(filled.folder, tmp_path / "mine", "--push", REPO) == 0
    return hub


def pull(tmp_path: Path, *options: str, source: str = REPO) -> Path:
    out = tmp_path / "pulled"
    assert main(["pull", "adapter", source, "--out", str(out), *options]) == 0
    return out


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / MANIFEST).read_text()))


def test_what_was_pushed_comes_back_with_its_commit(
    pushed: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = pull(tmp_path)
    assert {path.name for path in out.iterdir()} == {WEIGHTS, SETTINGS, MANIFEST, "README.md"}
    assert (out / WEIGHTS).read_bytes() == pushed.files[WEIGHTS]
    found = manifest(out)
    assert found["pulled_from"] == f"{REPO}@{SHA}"
    assert found["sha256"] == file_sha256(out / WEIGHTS)
    assert found["sha256"] in capsys.readouterr().out


def test_a_run_can_start_from_a_pulled_adapter(
    pushed: Hub, tiny_model: str, tmp_path: Path
) -> None:
    """The base has no place on the Hub, and is said to be here."""
    out = pull(tmp_path, "--merge", "--base", tiny_model)
    check_model(str(out))
    assert manifest(out)["merged"] is True
    assert not (out / WEIGHTS).exists()
    tokens = torch.arange(1, 20)[None]
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    with torch.inference_mode():
        wanted = PeftModel.from_pretrained(base, tmp_path / "mine").eval()(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(out).eval()(tokens).logits
    assert torch.allclose(merged, wanted, atol=1e-4)


def test_a_folder_is_taken_as_a_repository_is(
    filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(filled.folder, tmp_path / "mine") == 0
    assert manifest(pull(tmp_path, source=str(tmp_path / "mine")))["pulled_from"] == "mine"
    shutil.rmtree(tmp_path / "pulled")
    assert "there is no model" not in fails(capsys, "pull", "adapter", "a b", "--out", "x")


def test_what_peft_would_import_is_left_out(pushed: Hub, tmp_path: Path) -> None:
    settings = json.loads(pushed.files[SETTINGS])
    settings["auto_mapping"] = {"parent_library": "evil"}
    pushed.files[SETTINGS] = json.dumps(settings).encode()
    assert "auto_mapping" not in json.loads((pull(tmp_path) / SETTINGS).read_text())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({WEIGHTS: None, "adapter_model.bin": b"x"}, "pickles, which can run code"),
        ({WEIGHTS: None}, f"holds no adapter: {WEIGHTS} is missing"),
        ({SETTINGS: None}, f"holds no adapter: {SETTINGS} is missing"),
        ({WEIGHTS: b"\x80\x04pickle"}, "is not safetensors"),
        ({SETTINGS: b"["}, "is no JSON"),
        ({SETTINGS: b"[]"}, "is no JSON object"),
        ({SETTINGS: b'{"peft_type": "IA3"}'}, "is a IA3 adapter"),
        ({MANIFEST: b'{"sha256": "00"}'}, "damaged or was replaced"),
    ],
)
def test_what_cannot_be_trusted_is_refused_in_one_line_and_leaves_nothing(
    pushed: Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, bytes | None],
    reason: str,
) -> None:
    for name, content in changes.items():
        pushed.files.pop(name) if content is None else pushed.files.update({name: content})
    assert reason in fails(capsys, "pull", "adapter", REPO, "--out", f"{tmp_path}/pulled")
    assert not list(tmp_path.glob("pulled*"))


def test_what_is_not_there_is_one_line(
    pushed: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def message(source: str, *options: str) -> str:
        return fails(capsys, "pull", "adapter", source, "--out", f"{tmp_path}/pulled", *options)

    assert "there is no model lab/other on the Hub, nor a folder here" in message("lab/other")
    assert "has no revision 'no-such'" in message(f"{REPO}@no-such")
    assert "write OWNER/NAME" in message("three/parts/long")
    assert "model folder /nowhere does not exist" in message(REPO, "--merge", "--base", "/nowhere")
    pushed.token = "another"
    assert f"{REPO} is gated" in message(REPO)
    assert not list(tmp_path.glob("pulled*"))
    (tmp_path / "pulled").write_text("mine")
    assert "is not an empty folder" in message(REPO)


def test_an_adapter_for_other_weights_than_the_bases_is_not_merged(
    pushed: Hub, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    model = AutoModelForCausalLM.from_pretrained(other)
    torch.nn.init.zeros_(model.lm_head.weight)
    model.save_pretrained(other)
    wish = ("pull", "adapter", REPO, "--out", f"{tmp_path}/pulled", "--merge", "--base")
    assert "are not those that the adapter was trained on" in fails(capsys, *wish, str(other))
    assert not list(tmp_path.glob("pulled*"))


def test_a_file_of_a_dataset_is_copied_with_its_commit_and_hash(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.files = {
        "README.md": b"#",
        "load.py": b"import os",
        "pairs.jsonl": json.dumps(ROW).encode(),
    }
    out = tmp_path / "there" / "pairs.jsonl"
    assert main(["pull", "dataset", REPO, "--out", str(out)]) == 0
    assert out.read_bytes() == hub.files["pairs.jsonl"]
    said = capsys.readouterr().out
    assert f"hub:{REPO}@{SHA}/pairs.jsonl, sha256 {file_sha256(out)}" in said
    assert {path.name for path in out.parent.iterdir()} == {"pairs.jsonl"}
    assert "exists" in fails(capsys, "pull", "dataset", REPO, "--out", str(out))
    wish = ("pull", "dataset", REPO, "--out", f"{tmp_path}/x.parquet")
    assert "and --out end as it does" in fails(capsys, *wish)
    assert "it must be one of" in fails(capsys, "pull", "dataset", f"{REPO}/load.py", *wish[3:])
