"""Presets in the form, what is said of them, and settings that come from files."""

import base64
import re
from html import escape

import pytest

from codelutra.config import RefineConfig
from codelutra.config_text import config_of, read_yaml
from codelutra.errors import CodeLutraError
from codelutra.presets import PRESETS
from pages import form, start_form
from pages.before import before
from storage import ablations, db

OTHER = "other/model"
WEIGHTS = form.VARY["training.sft_weight"]
PATHS = [*form.LABELS, *form.OF_FORM]


def filled(outputs) -> dict:
    """What the form holds after an answer; components are updates of their widget."""
    values = dict(zip(PATHS, outputs, strict=False))
    return {path: getattr(value, "value", value) for path, value in values.items()}


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_suits_any_model_and_says_what_it_brings_and_costs(store, key):
    preset = PRESETS[key]
    values = filled(start_form.choose_preset(key, "starter", OTHER))
    wanted = preset.config("starter", preset.model or OTHER)
    assert form.build_config(values) == wanted
    assert len(form.configs_of(values)) == (2 if key == "ablation" else 1)
    note = start_form.preset_note(key, values)
    assert escape(preset.learns) in note
    assert escape(preset.costs) in note
    assert "Changed:" not in note
    changed = start_form.preset_note(key, values | {"training.beta": 0.3, WEIGHTS: ""})
    assert "Changed: Beta is 0.3" in changed
    assert ("nothing is varied" in changed) == (key == "ablation")


def test_another_model_keeps_the_preset_and_gets_its_own_rates(store):
    outputs = start_form.choose_model(OTHER, "starter", "one")
    values = dict(zip(form.model_dependent(), outputs[1:], strict=True))
    assert values["training.epochs"] == 1  # of the preset
    assert values["training.learning_rate"] == RefineConfig().training.learning_rate


def test_what_a_preset_does_is_said_before_the_start(store):
    values = filled(start_form.choose_preset("baseline", "starter", "starter"))
    assert "the base alone is scored" in before(values)
    values = filled(start_form.choose_preset("cross", "starter", "starter"))
    assert "trained on sql, held-out: 200 python, 200 sql" in before(values)
    values = filled(start_form.choose_preset("ablation", "starter", "starter"))
    assert "Time, each" in before(values)
    assert "<dt>Runs</dt><dd>2</dd>" in before(values)


def test_a_file_that_was_saved_fills_the_form_again(store, tmp_path):
    config = RefineConfig.for_model("starter", seed=7, sandbox={"timeout_s": 2.5})
    html = start_form.same_elsewhere([config])
    assert f"where CODELUTRA_HOME is {store}" in html  # imported sets and quarantines are there
    data = re.search(r"base64,([^\"]+)", html)
    assert data
    path = tmp_path / "my run.yaml"
    path.write_bytes(base64.b64decode(data[1]))
    assert config_of(read_yaml(path.read_text(), "f")) == config
    outputs = start_form.load_file(str(path))
    assert form.build_config(filled(outputs)) == config
    assert "The settings of my run.yaml" in outputs[-1]
    assert outputs[-2] is None  # no preset any more


def test_a_broken_file_changes_nothing_and_is_told_with_its_line(store, tmp_path):
    path = tmp_path / "<b>.yaml"
    path.write_text("model: starter\nseeed: 1\n")
    *values, message = start_form.load_file(str(path))
    assert "&lt;b&gt;.yaml, line 2: seeed: there is no such setting: did you mean seed?" in message
    assert "Nothing was changed" in message
    assert len(values) == len(PATHS) + 1
    path.write_bytes(b"\xff\xfe\x00model")
    assert "Nothing was changed" in start_form.load_file(str(path))[-1]


def test_the_help_of_every_setting_is_its_own_description(store):
    html = start_form._other_settings()
    assert "<dt>sampling.top_p</dt><dd>nucleus mass; 1 = off (Codex: 0.95)</dd>" in html
    assert "training.beta" not in html  # it has a field


def test_what_is_varied_makes_a_group_of_runs_and_a_wrong_value_is_told(store):
    values = filled(start_form.choose_preset("one", "starter", "starter")) | {
        "max_train": 9, form.VARY["training.beta"]: "0.1, 0.5,", form.VARY["seed"]: "0, 1",
    }  # fmt: skip
    run_ids = form.queue_runs(values)
    with db.open_session() as session:
        group = ablations.of_run(session, run_id=run_ids[0])
        runs = ablations.runs_of(session, ablation_id=group.id)
        assert [run.id for run in runs] == run_ids
        assert [run.name for run in runs] == [
            f"starter, beta {beta}, seed {seed}" for beta in (0.5, 0.1) for seed in (0, 1)
        ]
        assert group.name == "beta and seed, starter"
    assert "<dt>Runs</dt><dd>4</dd>" in before(values)
    with pytest.raises(CodeLutraError, match="Vary: Beta: must be a valid number"):
        form.queue_runs(values | {form.VARY["training.beta"]: "0.1; 0.5"})
    assert [form.build_config(values).training.beta] == [0.5]  # the form's own is the first
