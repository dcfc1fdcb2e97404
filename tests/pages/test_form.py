"""What was filled in becomes a queued run, or a message that names the field."""

import json

import pytest

from codelutra.config import OpenAIBackend, RefineConfig, TransformersBackend
from codelutra.config_rows import differences
from codelutra.config_text import command_of
from codelutra.errors import CodeLutraError, ModelError, TaskError
from codelutra.tasks.quarantine import leave_out_quarantined
from pages import form
from storage import db, jobs, queries, run_status
from tests.test_config_text import CONFIGS, made, read_command

START = {"tasks": "starter", "model": "starter", "iterations": 1}


def count_runs() -> int:
    with db.open_session() as session:
        return queries.count_runs(session)


def test_the_form_opens_with_the_defaults_of_the_model():
    fields = {field.path: field for field in form.form_fields("starter")}
    assert fields["training.learning_rate"].value == 1e-3
    assert fields["training.mode"].choices == ("dual", "dpo", "sft")
    assert fields["stop"].choices == ("fixed", "no_gain")
    assert (fields["patience"].value, fields["validation_share"].value) == (1, 0.2)
    assert fields["sampling.num_samples"].info == "programs per task, n (the paper)"


def test_what_depends_on_the_model_is_known():
    paths = form.model_dependent()
    assert "training.learning_rate" in paths
    assert "seed" not in paths


def test_a_filled_form_is_queued(store):
    (run_id,) = form.queue_runs(START | {"training.beta": 0.2, "max_train": 40, "max_heldout": 30})
    with db.open_session() as session:
        run = queries.get_run(session, run_id=run_id)
    assert run is not None
    assert (run.num_train, run.num_validation, run.num_heldout) == (32, 8, 30)
    assert run.config["training"]["beta"] == 0.2
    assert run.config["training"]["learning_rate"] == 1e-3
    assert jobs.status(run_id) is run_status.RunStatus.QUEUED


@pytest.mark.parametrize("settings", CONFIGS, ids=str)
def test_the_form_holds_any_settings_and_gives_them_back(store, settings):
    config = leave_out_quarantined(made(settings))
    values = form.form_values(config)
    assert leave_out_quarantined(form.build_config(values)) == config
    (line,) = [command_of(config) for config in form.configs_of(values)]
    assert leave_out_quarantined(read_command(line)) == config


def test_two_runs_without_and_with_the_likelihood_term_differ_in_nothing_else(store):
    values = form.preset_values("ablation", "starter", "starter") | {"max_train": 9}
    first, second = form.queue_runs(values)
    with db.open_session() as session:
        runs = [queries.get_run(session, run_id=run_id) for run_id in (first, second)]
    configs = [RefineConfig.model_validate(run.config) for run in runs]
    (only,) = differences(configs)
    assert (only.path, only.values) == ("training.sft_weight", [1.0, 0.0])
    assert [run.name for run in runs] == ["starter, sft weight 1.0", "starter, sft weight 0.0"]
    assert configs == form.configs_of(values)


def test_a_line_that_is_no_setting_is_told(store):
    with pytest.raises(CodeLutraError, match="setting 'beta': write NAME=VALUE"):
        form.build_config(START | {form.MORE: "seed=3\nbeta"})
    with pytest.raises(CodeLutraError, match=r"did you mean sampling\.top_p"):
        form.build_config(START | {form.MORE: "sampling.top-p=1"})


def test_the_servers_count_only_for_the_backend_that_asks_them():
    chosen = {"generation.backend": "transformers", "generation.base_urls": "http://a/v1"}
    assert form.build_config(START | chosen).generation == TransformersBackend()
    asking = form.build_config(START | chosen | {"generation.backend": "openai"})
    assert asking.generation == OpenAIBackend(base_urls=("http://a/v1",))


def test_a_server_that_is_not_there_is_told_before_anything_is_stored(store):
    asked = {"generation.backend": "openai", "generation.base_urls": "http://127.0.0.1:9/v1"}
    with pytest.raises(CodeLutraError, match="does not answer: start the server"):
        form.queue_runs(START | asked)
    assert count_runs() == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"training.beta": 0}, "Beta: must be greater than 0 (given: 0)"),
        ({"sampling.num_samples": None}, "Samples per task: must be a valid integer"),
        ({"iterations": 51}, "Iterations: must be less than or equal to 50"),
        ({"training.mode": "ppo"}, "Loss: must be 'dual', 'dpo' or 'sft' (given: 'ppo')"),
        ({"model": ""}, "Model: "),
        ({"tasks": " "}, "Task set: "),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_queued(store, wrong, message):
    with pytest.raises(CodeLutraError) as caught:
        form.queue_runs(START | wrong)
    assert message in str(caught.value)
    assert count_runs() == 0


def test_a_missing_model_folder_is_refused(store):
    with pytest.raises(ModelError, match="does not exist"):
        form.queue_runs(START | {"model": "/nowhere/model"})
    assert count_runs() == 0


def test_a_missing_task_set_is_refused(store):
    with pytest.raises(TaskError, match="no task set"):
        form.queue_runs(START | {"tasks": "nothing"})
    assert count_runs() == 0


def test_a_task_set_without_held_out_tasks_is_refused(store, tmp_path):
    task = {"task_id": "1", "kind": "python", "prompt": "p", "gold": "result = 1"}
    file = tmp_path / "tasks.jsonl"
    file.write_text(json.dumps(task) + "\n")
    with pytest.raises(TaskError, match="no heldout tasks"):
        form.queue_runs(START | {"tasks": str(file)})
    assert count_runs() == 0
