"""An exported adapter is the run's own, without what is only of this machine."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from codelutra.adapters import SETTINGS, WEIGHTS, verify_adapter
from codelutra.errors import CodeLutraError
from codelutra.export import choose
from codelutra.ledger import Ledger
from codelutra.records import Adapter
from tests.finished_run import (
    Run,
    adapters,
    add_graded,
    export,
    fill,
    filled,
    new_run,
    nothing_left,
    run,
)
from tests.lab import database
from tests.test_cli import fails

__all__ = ["adapters", "database", "filled", "new_run", "run"]


def logits(model: Any) -> torch.Tensor:
    tokens = torch.arange(1, 20)[None]
    with torch.inference_mode():
        return model.eval()(tokens).logits


def test_the_promoted_adapter_loads_with_peft_and_answers_the_same(
    run: Run, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert export(run.name, out) == 0
    assert "iteration 1 of 3" in capsys.readouterr().out
    original = run.ledger.adapter(1)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    wanted = logits(PeftModel.from_pretrained(base, original.path))
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    untouched = logits(base)
    assert torch.equal(logits(PeftModel.from_pretrained(base, out)), wanted)
    assert not torch.allclose(untouched, wanted, atol=0.1)
    assert "pass@1" in (out / "report.md").read_text()
    names = sorted(path.name for path in out.iterdir())
    assert names == ["README.md", SETTINGS, WEIGHTS, "codelutra.json", "report.md"]


def test_the_manifest_says_what_the_adapter_was_made_of(run: Run, tmp_path: Path) -> None:
    assert export(run.name, tmp_path / "two", "--iteration", "2") == 0
    manifest = json.loads((tmp_path / "two" / "codelutra.json").read_text())
    first, second = run.ledger.adapter(1), run.ledger.adapter(2)
    assert manifest == {
        "sha256": second.sha256,
        "base_model": Path(run.ledger.config.model).name,
        "base_revision": second.base_revision,
        "reference": "previous",
        "parent": first.sha256,
        "config_sha256": "c" * 64,
        "data_sha256": "d" * 64,
        "iteration": 2,
        "promoted": False,
        "merged": False,
    }
    verify_adapter(Adapter(**{**vars(second), "path": str(tmp_path / "two")}))
    assert export(run.name, tmp_path / "one") == 0
    assert json.loads((tmp_path / "one" / "codelutra.json").read_text())["promoted"] is True


def test_nothing_of_the_machine_is_in_an_export(filled: Ledger, tmp_path: Path) -> None:
    for options in ((), ("--merge",)):
        out = tmp_path / f"out{len(options)}"
        assert export(filled.folder, out, *options) == 0
        parts = {str(tmp_path), str(Path(filled.config.model).parent)}
        for path in out.iterdir():
            content = path.read_bytes()
            assert not [part for part in parts if part.encode() in content], path


def test_reading_a_run_makes_no_row_of_an_iteration_that_has_not_begun(
    run: Run, tmp_path: Path
) -> None:
    assert export(run.name, tmp_path / "out") == 0
    if not run.name.isdecimal():
        return
    from storage import db, queries

    with db.open_session() as session:
        rows = queries.iterations(session, run_id=int(run.name))
    assert [row.number for row in rows] == [0, 1, 2]


def test_where_the_base_is_best_nothing_is_promoted(
    new_run: Callable[..., Run],
    adapters: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, out = new_run(), tmp_path / "out"
    add_graded(made.ledger, 0, "validation", "cccc")
    fill(made.ledger, adapters)
    message = fails(capsys, "export", "adapter", made.name, "--out", str(out))
    assert "beats the base model" in message
    assert "name one of 1, 2 with --iteration" in message
    assert nothing_left(out)
    assert export(made.name, out, "--iteration", "1") == 0
    card = " ".join((out / "README.md").read_text().split())
    assert "on validation tasks the base model scored at least as well" in card


def test_each_bad_wish_is_one_line_and_leaves_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def message(name: str, *options: str) -> str:
        text = fails(capsys, "export", "adapter", name, "--out", str(out), *options)
        assert nothing_left(out)
        return text

    assert "iteration 3 of the run" in message(run.name, "--iteration", "3")
    assert "name one of 1, 2" in message(run.name, "--iteration", "77")
    assert "0 is the base" in message(run.name, "--iteration", "0")
    assert "--iteration best" in message(run.name, "--iteration", "best")
    assert "no run 4711" in message("4711")
    assert "no run 999" in message("9" * 30)
    assert f"{tmp_path / 'gone'} holds no run" in message(str(tmp_path / "gone"))
    assert "holds no settings of a run" in message(run.ledger.config.model)
    assert "OWNER/NAME" in message(run.name, "--push", "name")
    assert "OWNER/NAME" in message(run.name, "--push", "../../etc")
    assert "--push" in message(run.name, "--public")


def test_a_run_that_has_trained_nothing_has_nothing_to_export(
    new_run: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, out = new_run(), tmp_path / "out"
    add_graded(made.ledger, 0, "validation", "cccc")
    message = fails(capsys, "export", "adapter", made.name, "--out", str(out))
    assert "has trained no iteration yet" in message
    assert nothing_left(out)


def test_a_number_without_a_database_makes_none(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = fails(capsys, "export", "adapter", "1", "--out", str(tmp_path / "out"))
    assert f"no run 1 in {home}" in message
    assert not home.exists()


def test_a_folder_in_use_is_left_as_it_is(
    filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("x")
    message = fails(capsys, "export", "adapter", str(filled.folder), "--out", str(out))
    assert f"{out} exists and is not an empty folder" in message
    assert [path.name for path in out.iterdir()] == ["mine"]
    (out / "mine").unlink()
    assert export(filled.folder, out) == 0
    assert (out / WEIGHTS).exists()


@pytest.mark.parametrize("damage", ["a flipped byte", "no weights", "no settings", "no JSON"])
def test_a_damaged_adapter_is_refused(
    damage: str, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, folder = tmp_path / "out", filled.folder / "adapter-1"
    if damage == "a flipped byte":
        content = bytearray((folder / WEIGHTS).read_bytes())
        content[-1] ^= 1
        (folder / WEIGHTS).write_bytes(content)
    elif damage == "no JSON":
        (folder / SETTINGS).write_text("{")
    else:
        (folder / (WEIGHTS if damage == "no weights" else SETTINGS)).unlink()
    message = fails(capsys, "export", "adapter", str(filled.folder), "--out", str(out))
    assert "is damaged" in message
    assert nothing_left(out)


def test_a_run_that_was_moved_or_is_older_than_a_setting_still_opens(
    filled: Ledger, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    filled.folder.rename(moved)
    config = json.loads((moved / "config.json").read_text())
    del config["patience"]
    (moved / "config.json").write_text(json.dumps(config))
    before = (moved / "config.json").read_bytes()
    assert export(moved, tmp_path / "out") == 0
    assert (moved / "config.json").read_bytes() == before


def test_an_interrupted_export_leaves_nothing(
    filled: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", interrupt)
    assert export(filled.folder, tmp_path / "out") == 130
    assert nothing_left(tmp_path / "out")


def test_importing_the_command_loads_no_model_library() -> None:
    code = (
        "import sys, codelutra.cli, codelutra.export, codelutra.hub_push;"
        "heavy = {'torch', 'transformers', 'peft', 'huggingface_hub'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_choosing_needs_no_command_line(filled: Ledger) -> None:
    assert choose(filled, "promoted").iteration == 1
    with pytest.raises(CodeLutraError, match="has no adapter"):
        choose(filled, "3")
