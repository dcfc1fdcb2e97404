"""The card of an export says what the ledger says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from codelutra.adapters import SETTINGS
from codelutra.config import RefineConfig
from codelutra.export import choose, write_export
from codelutra.ledger import Ledger
from codelutra.records import Adapter, Alert, Trust
from codelutra.run_folder import RunFolder
from tests.fake_hub import REPO, SHA, Hub, hub
from tests.finished_run import Run, adapters, export, fill, filled, new_run, run
from tests.lab import database

__all__ = ["adapters", "database", "filled", "hub", "new_run", "run"]


def table(card: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    text = card.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def one_line(text: str) -> str:
    return " ".join(text.split())


def numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"[+-]?\d+\.\d|[+-]?\d+", cell)]


def test_the_measured_table_is_the_ledgers(run: Run, tmp_path: Path) -> None:
    assert export(run.name, tmp_path / "out", "--iteration", "2") == 0
    rows = table((tmp_path / "out" / "README.md").read_text(), "Measured")
    assert [row[0] for row in rows] == ["base", "iteration 1", "iteration 2"]
    for number, (_, heldout, n, syntax, validation, n_validation, _) in enumerate(rows):
        for split, cell, count in (
            ("heldout", heldout, n),
            ("validation", validation, n_validation),
        ):
            scores = run.ledger.scores(number, split)
            wanted = [scores.pass_at_1, *scores.ci95]
            assert numbers(cell.replace(" 95 %", "")) == [round(100 * x, 1) for x in wanted]
            assert int(count) == scores.num_tasks
        assert numbers(syntax) == [round(100 * run.ledger.scores(number).syntax_error, 1)]
    # By hand: 2 of the 7 graded held-out tasks, then 3 and 6 of 8.
    assert [numbers(row[1])[0] for row in rows] == [28.6, 37.5, 75.0]
    assert [row[2] for row in rows] == ["7", "8", "8"]
    # The gain is on the seven tasks that both were graded on: 2 -> 6 of 7.
    assert rows[0][6] == "–"
    # Tango's interval, solved by hand: 75.9 x² - 44.5 x + 0.634 = 0 gives its lower end.
    assert numbers(rows[2][6]) == [57.1, 1.5, 84.2, 7]


def test_the_card_says_what_the_adapter_learned_from(run: Run, tmp_path: Path) -> None:
    assert export(run.name, tmp_path / "out", "--iteration", "2") == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "5 training, 4 validation and 8 held-out tasks" in card
    assert table(card, "Data") == [["1", "10", "3", "1", "1"], ["2", "20", "3", "1", "2"]]
    assert "iteration 2 of 3, continuing the adapter of iteration 1" in one_line(card)
    assert "on validation tasks iteration 1 scored at least as well" in one_line(card)
    assert "d" * 64 in card
    settings = {row[0]: row[1:] for row in table(card, "Settings")}
    beta = RefineConfig.model_fields["training"].annotation.model_fields["beta"]
    assert settings["`training.beta`"] == ["`0.1`", beta.description]
    assert settings["`tasks`"][0] == r"`my\|set.jsonl`"
    assert "`sampling.num_samples`" in settings


def test_the_front_matter_names_a_base_of_the_hub_alone(filled: Ledger, tmp_path: Path) -> None:
    def front_matter(**changes: Any) -> dict[str, Any]:
        chosen = choose(filled, "1")
        adapter = Adapter(**{**vars(chosen.adapter), **changes})
        out = tmp_path / f"out-{len(changes)}"
        write_export(filled, type(chosen)(1, adapter, chosen.best, True), out)
        settings.update(json.loads((out / SETTINGS).read_text()))
        return dict(yaml.safe_load((out / "README.md").read_text().split("---\n")[1]))

    settings: dict[str, Any] = {}
    tags = ["codelutra", "dpo", "lora", "code"]
    plain = {"library_name": "peft", "pipeline_tag": "text-generation", "tags": tags}
    assert front_matter() == plain
    assert (settings["base_model_name_or_path"], settings["revision"]) == (
        Path(filled.config.model).name,
        None,
    )
    hub = front_matter(base_model="Qwen/Qwen2.5-Coder-1.5B", base_revision="0123abc")
    assert hub == {"base_model": "Qwen/Qwen2.5-Coder-1.5B", **plain}
    assert settings["base_model_name_or_path"] == "Qwen/Qwen2.5-Coder-1.5B"
    assert settings["revision"] == "0123abc"


def test_the_card_says_what_licence_the_base_states(
    filled: Ledger, tmp_path: Path, hub: Hub
) -> None:
    def facts(**changes: Any) -> str:
        chosen = choose(filled, "1")
        adapter = Adapter(**{**vars(chosen.adapter), **changes})
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        write_export(filled, type(chosen)(1, adapter, chosen.best, True), out)
        return one_line((out / "README.md").read_text())

    of_hub = {"base_model": REPO, "base_revision": SHA}
    assert "no licence is stated here" in facts()
    starter = facts(base_model="starter")
    assert "licence: as the base, whose card states `apache-2.0`;" in starter
    hub.card = {"license": "other", "license_name": "gemma"}
    assert "whose card states `other: gemma`;" in facts(**of_hub)
    hub.token = "another"
    assert "no licence is stated here" in facts(**of_hub)


def test_alerts_and_caveats_are_listed_and_a_sound_run_has_none(run: Run, tmp_path: Path) -> None:
    assert export(run.name, tmp_path / "sound") == 0
    sound = (tmp_path / "sound" / "README.md").read_text()
    assert "None was raised" in sound
    assert "nfenced" not in sound
    assert "Weak proof" not in sound
    run.ledger.add_trust(Trust(is_unfenced=True, num_weak=3))
    run.ledger.add_alert(1, Alert("collapse", "syntax errors\nrose", "lower beta", 12))
    run.ledger.add_alert(2, Alert("later", "not of iteration 1", "nothing"))
    assert export(run.name, tmp_path / "shaky") == 0
    shaky = (tmp_path / "shaky" / "README.md").read_text()
    assert "- iteration 1, step 12: **collapse**, syntax errors rose (lower beta)" in shaky
    assert "not of iteration 1" not in shaky
    assert "ran without a sandbox" in shaky
    assert "tests of 3 tasks run beside the program" in shaky


def test_without_validation_the_last_trained_iteration_is_taken(
    new_run: Callable[..., Run], adapters: list[Path], tmp_path: Path
) -> None:
    made = new_run()
    fill(made.ledger, adapters, with_validation=False)
    assert export(made.name, tmp_path / "out") == 0
    manifest = json.loads((tmp_path / "out" / "codelutra.json").read_text())
    assert (manifest["iteration"], manifest["promoted"]) == (2, True)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "the last iteration that was trained" in one_line(card)
    assert [row[4] for row in table(card, "Measured")] == ["not measured"] * 3


@pytest.mark.parametrize("options", [(), ("--merge",)])
def test_the_snippet_of_the_card_runs(
    options: tuple[str, ...],
    filled: Ledger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert export(filled.folder, out, *options) == 0
    model = filled.config.model
    code = (out / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = code.replace("path/to/this/folder", str(out)).replace(
        "max_new_tokens=256", "max_new_tokens=4"
    )
    capsys.readouterr()
    exec(code.replace(f"path/to/{Path(model).name}", model), {})
    assert "a prompt like those" in capsys.readouterr().out


def test_a_policy_that_was_not_measured_is_said_to_be_so(
    new_run: Callable[..., Run], adapters: list[Path], tmp_path: Path
) -> None:
    made = new_run(iterations=4)
    fill(made.ledger, adapters)
    first = made.ledger.adapter(1)
    made.ledger.add_adapter(3, Adapter(**{**vars(first), "parent": "e" * 64}))
    assert export(made.name, tmp_path / "out", "--iteration", "3") == 0
    card = one_line((tmp_path / "out" / "README.md").read_text())
    assert "exported before it was measured" in card
    assert "continuing the adapter with sha256 `eeeeeeeeeeee`" in card
    assert "| iteration 3 | not measured | – | – | not measured | – | not measured |" in card
    assert "| 3 | 0 | not recorded | not recorded | not recorded |" in card


@pytest.mark.parametrize(
    ("mode", "formula", "tag"),
    [
        ("dual", "L_DPO(chosen, rejected; reference) + sft_weight · NLL(chosen)", "dpo"),
        ("dpo", "`L = L_DPO(chosen, rejected; reference)`", "dpo"),
        ("sft", "`L = NLL(chosen)`", "sft"),
    ],
)
def test_the_formula_is_that_of_the_mode(
    mode: str, formula: str, tag: str, tiny_model: str, tmp_path: Path, adapters: list[Path]
) -> None:
    config = RefineConfig.for_model(tiny_model, iterations=3, training={"mode": mode, "beta": 0.3})
    ledger = fill(RunFolder(tmp_path / "run", config), adapters)
    assert export(ledger.folder, tmp_path / "out") == 0
    card = (tmp_path / "out" / "README.md").read_text()
    method = one_line(card.split("## Method")[1].split("##")[0])
    assert formula in method
    assert f"- {tag}\n" in card
    assert ("beta 0.3 and, as reference, the base model" in method) == (mode != "sft")
