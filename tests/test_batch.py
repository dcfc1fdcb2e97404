"""A batch through the states of a run gives the run's own scores, to the last task."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from codelutra import phases
from codelutra.batch import run_batch
from codelutra.batch_tasks import read_prompts, tasks_for
from codelutra.cli import main
from codelutra.cli_compare import states_of
from codelutra.config import RefineConfig
from codelutra.errors import AdapterError, TaskError
from codelutra.generation import Engine
from codelutra.grading import Grader
from codelutra.run_folder import RunFolder
from codelutra.sandbox import Sandbox
from codelutra.tasks import load_tasks, select_tasks
from tests.generation.adapters import make_adapter

NUM_TASKS = 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The base and an adapter, scored as a run scores them, on batches of several sizes."""
    folder = tmp_path_factory.mktemp("run")
    config = RefineConfig.for_model(
        "starter", iterations=1, max_train=60, max_heldout=NUM_TASKS, validation_share=0.3,
        generation={"backend": "transformers"}, evaluation={"batch_size": 16},
    )  # fmt: skip
    ledger = RunFolder(folder, config)
    ledger.add_adapter(1, make_adapter(folder / "adapter-1", size=0.15))
    tasks = select_tasks(load_tasks("starter"), config)
    with Sandbox(config.sandbox) as sandbox, Engine() as engine:
        for iteration in (0, 1):
            phases.evaluate(ledger, tasks, iteration, Grader(sandbox), engine)
    return ledger


@pytest.mark.slow
def test_the_pass_rates_are_those_of_the_runs_own_evaluation(run, tmp_path, capsys) -> None:
    table, scores = tmp_path / "t.csv", tmp_path / "s.json"
    options = ["--csv", str(table), "--json", str(scores)]
    assert main(["compare", str(run.folder), *options]) == 0
    found = json.loads(scores.read_text())
    own = [run.scores(iteration) for iteration in (0, 1)]
    assert [one["pass@1"] for one in found] == [one.pass_at_1 for one in own]
    assert own[0].pass_at_1 != own[1].pass_at_1
    assert [one["verdicts"] for one in found] == [one.verdicts for one in own]
    chosen = tasks_for(run.config, "")
    batch = run_batch(
        states_of(run)[:1], chosen.tasks, run.config, beside=chosen.beside, log=tmp_path / "log"
    )
    mine = {s.task_id: s.completion for s in batch.samples["base"].values()}
    assert mine == {s.task_id: s.completion for s in run.samples(0, "heldout")}
    with table.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * NUM_TASKS
    assert "iteration 1" in capsys.readouterr().out


@pytest.mark.slow
def test_another_adapter_than_the_recorded_one_is_refused(run, tmp_path) -> None:
    state = states_of(run)[1]
    other = make_adapter(tmp_path / "other", seed=5)
    wrong = replace(state, adapter=other.path)
    tasks = tasks_for(run.config, "").tasks[:1]
    with pytest.raises(AdapterError, match="was replaced"):
        run_batch([wrong], tasks, run.config, log=tmp_path / "log")


def test_a_file_of_prompts_is_read_with_its_mistakes_named(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "say it"}\n\n{"task_id": "x", "prompt": "p"}\n')
    assert [(t.task_id, t.gold) for t in read_prompts(path)] == [("line-1", ""), ("x", "")]
    for line, word in (("{}", "no `prompt`"), ("[1]", "line 1"), ('{"gold": "x"}', "line 1")):
        path.write_text(line)
        with pytest.raises(TaskError, match=word):
            read_prompts(path)


def test_states_that_a_run_lacks_are_named(tmp_path, capsys) -> None:
    RunFolder(tmp_path, RefineConfig.for_model("starter"))
    assert main(["compare", str(tmp_path), "--states", "base,3"]) == 2
    assert "there is no 3; this run has base" in capsys.readouterr().err
    assert main(["serve", str(tmp_path), "--host", "0.0.0.0"]) == 2
    assert "CODELUTRA_SERVE_KEY" in capsys.readouterr().err
