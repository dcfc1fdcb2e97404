"""The loop on a real ledger and a real, tiny model."""

from pathlib import Path

import pytest

from codelutra import phases
from codelutra.config import RefineConfig
from codelutra.errors import StopRequested, TaskError
from codelutra.loop import refine
from codelutra.records import Sample, Scores, Verdict, VerdictKind
from codelutra.run_folder import RunFolder
from codelutra.summary import run_summary
from codelutra.tasks import Task, load_tasks, select_tasks


def config(model: str, **changes: object) -> RefineConfig:
    small = {
        "iterations": 1,
        "max_train": 4,
        "max_heldout": 4,
        "sampling": {"num_samples": 3, "max_new_tokens": 8, "batch_size": 6},
        "evaluation": {"max_new_tokens": 8},
    }
    return RefineConfig.for_model(model, **{**small, **changes})


def test_one_iteration_end_to_end(tiny_model: str, tmp_path: Path) -> None:
    settings = config(tiny_model)
    tasks = select_tasks(load_tasks("starter"), settings)
    progress: list[tuple[int, str, int, int]] = []
    ledger = RunFolder(tmp_path / "run", settings, lambda *p: progress.append(p))
    refine(ledger, tasks)
    summary = run_summary(ledger)
    assert summary["base"]["n"] == 4
    assert (summary["run"]["is_unfenced"], summary["run"]["num_weak"]) == (False, 0)
    (iteration,) = summary["iterations"]
    assert iteration["samples"]["n"] == 12
    assert iteration["pairs"] > 0  # a random model solves nothing: the golds are chosen
    assert Path(iteration["adapter"], "adapter_model.safetensors").is_file()
    assert set(iteration["seconds"]) == {"sample", "execute", "pair", "train", "evaluate"}
    assert (1, "sample", 12, 12) in progress
    assert (1, "execute", 12, 12) in progress


def test_flaky_samples_are_counted_and_left_out_of_the_pairs(tmp_path: Path) -> None:
    settings = RefineConfig(max_train=1, max_heldout=1)
    ledger = RunFolder(tmp_path / "run", settings)
    verdicts = [Verdict(VerdictKind.CORRECT, flaky=n == 0) for n in range(2)]
    verdicts += [Verdict(VerdictKind.TIMEOUT, flaky=n == 0) for n in range(2)]
    samples = [Sample("a", n, f"text {n}") for n in range(4)]
    ledger.add_samples(1, "train", samples)
    ledger.add_verdicts(1, "train", {("a", n): verdict for n, verdict in enumerate(verdicts)})
    phases.pair(ledger, [task("a", "train")], 1)
    pairs = ledger.pairs(1) or []
    assert [(pair.chosen_index, pair.rejected_index) for pair in pairs] == [(1, 3)]
    log = (ledger.folder / "run.log").read_text()
    assert "1 pairs from 4 samples (2 flaky ones left out)" in log
    ledger.add_scores(1, Scores(1.0, (0.0, 1.0), 1, 0.0))
    (iteration,) = run_summary(ledger)["iterations"]
    assert (iteration["samples"]["flaky"], iteration["heldout"]["flaky"]) == (2, 0)


def test_an_interrupted_sampling_goes_on_where_it_stopped(tiny_model: str, tmp_path: Path) -> None:
    settings = config(tiny_model)
    tasks = select_tasks(load_tasks("starter"), settings)
    whole = RunFolder(tmp_path / "whole", settings)
    phases.sample(whole, tasks, 1)

    cut = RunFolder(tmp_path / "cut", settings)
    cut.stop_requested = lambda: bool(cut.samples(1, "train"))
    with pytest.raises(StopRequested):
        phases.sample(cut, tasks, 1)
    assert 0 < len(cut.samples(1, "train")) < 12
    again = RunFolder(tmp_path / "cut", settings)
    phases.sample(again, tasks, 1)
    assert again.samples(1, "train") == whole.samples(1, "train")


def task(task_id: str, split: str) -> Task:
    return Task(task_id=task_id, kind="python", split=split, prompt="p", gold="result = 1")  # type: ignore[arg-type]


def test_a_limit_is_spread_over_the_set() -> None:
    tasks = [task(str(i), "train") for i in range(10)] + [task("h", "heldout")]
    chosen = select_tasks(tasks, RefineConfig(max_train=3))
    assert [t.task_id for t in chosen] == ["0", "3", "6", "h"]


def test_a_set_without_held_out_tasks_says_so() -> None:
    with pytest.raises(TaskError, match="no heldout tasks"):
        select_tasks([task("a", "train")], RefineConfig(tasks="mine.jsonl"))
