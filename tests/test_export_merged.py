"""A merged export answers as base and adapter do, or is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from codelutra.adapters import SETTINGS, WEIGHTS
from codelutra.config import RefineConfig
from codelutra.ledger import Ledger
from codelutra.run_folder import RunFolder
from tests.finished_run import (
    adapters,
    export,
    fill,
    filled,
    make_adapter,
    new_run,
    nothing_left,
    run,
)
from tests.lab import database
from tests.test_cli import fails

__all__ = ["adapters", "database", "filled", "new_run", "run"]

PROMPT = "-- rows of t with b at least 3?\n"

pytestmark = pytest.mark.slow


def test_a_merged_export_writes_what_base_and_adapter_write(
    filled: Ledger, tiny_model: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert export(filled.folder, out, "--merge", "--iteration", "2") == 0
    assert not (out / SETTINGS).exists()
    assert not (out / WEIGHTS).exists()
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    original = filled.adapter(2)
    assert original is not None
    greedy = {"max_new_tokens": 24, "do_sample": False}
    prompt = AutoTokenizer.from_pretrained(out)(PROMPT, return_tensors="pt")
    plain = base.generate(**prompt, **greedy)
    wanted = PeftModel.from_pretrained(base, original.path).generate(**prompt, **greedy)
    merged = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    assert torch.equal(merged.generate(**prompt, **greedy), wanted)
    assert not torch.equal(plain, wanted)
    card = (out / "README.md").read_text()
    assert "library_name: transformers" in card
    assert "from peft" not in card
    assert json.loads((out / "codelutra.json").read_text())["merged"] is True


def test_merging_keeps_the_bases_own_dtype(
    tiny_model: str, tmp_path: Path, adapters: list[Path]
) -> None:
    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(half)
    config = RefineConfig(model=str(half), iterations=3)
    ledger = fill(RunFolder(tmp_path / "run", config), adapters)
    assert export(ledger.folder, tmp_path / "out", "--merge") == 0
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert merged.dtype == torch.bfloat16


def test_merging_needs_the_base_that_the_adapter_was_trained_on(
    tiny_model: str, tmp_path: Path, adapters: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    mine, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(tiny_model, mine)
    config = RefineConfig(model=str(mine), iterations=3)
    ledger = fill(RunFolder(tmp_path / "run", config), adapters)
    wish = ("export", "adapter", str(ledger.folder), "--out", str(out), "--merge")
    content = bytearray((mine / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (mine / "model.safetensors").write_bytes(content)
    assert "are not those that the adapter was trained on" in fails(capsys, *wish)
    shutil.rmtree(mine)
    assert "does not exist" in fails(capsys, *wish)
    assert nothing_left(out)
    assert export(ledger.folder, out) == 0


def test_an_adapter_on_tied_embeddings_is_not_merged_wrongly(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tied = [make_adapter(tiny_model, tmp_path / f"t{n}", n, ["q_proj", "lm_head"]) for n in (1, 2)]
    config = RefineConfig(model=tiny_model, iterations=3)
    ledger = fill(RunFolder(tmp_path / "run", config), tied)
    out = tmp_path / "out"
    message = fails(capsys, "export", "adapter", str(ledger.folder), "--out", str(out), "--merge")
    assert "shares between its input and its output" in message
    assert nothing_left(out)
