"""The loop on a real ledger and a real, tiny model."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codelutra import phases
from codelutra.config import RefineConfig
from codelutra.errors import AdapterError, StopRequested, TaskError
from codelutra.generation import Drawn, Engine
from codelutra.grading import Grader
from codelutra.loop import refine
from codelutra.records import Adapter, Sample, SampleKey, Scores, Verdict, VerdictKind
from codelutra.run_folder import RunFolder
from codelutra.sandbox import Sandbox
from codelutra.summary import run_summary
from codelutra.tasks import Task, load_tasks, select_tasks


def config(model: str, **changes: object) -> RefineConfig:
    small = {
        "iterations": 1,
        "max_train": 4,
        "max_heldout": 4,
        "sampling": {"num_samples": 3, "max_new_tokens": 8, "batch_size": 6, "extra_samples": 0},
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
    assert iteration["yield"]["after_length"] == iteration["pairs"] == iteration["yield"]["pairs"]
    assert iteration["training"]["fallback"] == ""
    assert iteration["training"]["run_tokens"] < iteration["training"]["stock_tokens"]
    assert (iteration["yield"]["samples"], iteration["yield"]["tasks_with_both"]) == (12, 0)
    assert {alert["kind"] for alert in iteration["alerts"]} == {"no_correct", "few_pairs"}
    assert (summary["run"]["promoted"], iteration["validation"]) == (None, None)  # too few tasks
    assert Path(iteration["adapter"], "adapter_model.safetensors").is_file()
    assert set(iteration["tokens"]) == {"sample", "evaluate"}
    assert 12 <= iteration["tokens"]["sample"] <= 12 * 8
    assert set(iteration["seconds"]) == {"sample", "execute", "pair", "train", "evaluate"}
    assert (1, "sample", 12, 12) in progress
    assert (1, "execute", 12, 12) in progress


def test_a_low_yield_draws_more_for_what_is_unsolved(tiny_model: str, tmp_path: Path) -> None:
    """A random model solves nothing: two waves for each task, hotter each time, and pairs."""
    sampling = {"num_samples": 2, "max_new_tokens": 8, "extra_samples": 3}
    settings = config(tiny_model, sampling=sampling)
    tasks = select_tasks(load_tasks("starter"), settings)
    ledger = RunFolder(tmp_path / "run", settings)
    with Sandbox(settings.sandbox) as sandbox, Engine() as engine:
        grader = Grader(sandbox)
        phases.sample(ledger, tasks, 1, grader, engine)
        phases.execute(ledger, tasks, 1, grader)
        first = ledger.samples(1, "train")
        phases.sample_more(ledger, tasks, 1, grader, engine)
        drawn = ledger.samples(1, "train")
        phases.sample_more(ledger, tasks, 1, grader, engine)  # again, as after a crash
    assert ledger.samples(1, "train") == drawn
    assert drawn[: len(first)] == first
    assert sorted({s.index for s in drawn}) == list(range(2 + 3 + 3))
    assert len(drawn) == 4 * 8
    assert all(sample.verdict for sample in drawn)
    log = (ledger.folder / "run.log").read_text()
    assert "low yield, 0.0% of the first samples are correct" in log
    assert "3 more programs for each of 4 unsolved tasks at temperature 1.15: 0" in log
    assert "at temperature 1.3: 0" in log
    phases.pair(ledger, tasks, 1)
    pairs = ledger.pairs(1) or []
    assert {pair.chosen_index for pair in pairs} == {None}  # the golds
    golds = {task.task_id: len(task.gold) for task in tasks}
    order = [golds[task] for task in dict.fromkeys(pair.task_id for pair in pairs)]
    assert order == sorted(order)  # nothing ran: the shortest gold is the easiest
    assert "no_correct" in {alert.kind for alert in ledger.alerts(1)}


def test_a_damaged_adapter_is_never_evaluated(tiny_model: str, tmp_path: Path) -> None:
    settings = config(tiny_model)
    ledger = RunFolder(tmp_path / "run", settings)
    folder = tmp_path / "adapter-1"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"other weights")
    ledger.add_adapter(1, Adapter(str(folder), 64 * "0", tiny_model, "main", "base"))
    with (
        Sandbox(settings.sandbox) as sandbox,
        Engine() as engine,
        pytest.raises(AdapterError, match="is damaged"),
    ):
        phases.evaluate(ledger, [task("a", "heldout")], 1, Grader(sandbox), engine)
    assert ledger.samples(1, "heldout") == []


def test_a_run_ends_when_its_gain_may_be_chance(tmp_path: Path) -> None:
    settings = RefineConfig(stop="no_gain", patience=2)
    ledger = RunFolder(tmp_path / "run", settings)
    for iteration, num_correct in enumerate((40, 80, 81, 80)):
        for number in range(100):
            kind = VerdictKind.CORRECT if number < num_correct else VerdictKind.WRONG_RESULT
            ledger.add_samples(iteration, "validation", [Sample(str(number), 0, "x")])
            ledger.add_verdicts(iteration, "validation", {(str(number), 0): Verdict(kind)})
    stops = [phases.should_stop_early(ledger, iteration) for iteration in (1, 2, 3)]
    assert stops == [False, False, True]
    assert "the gain on validation tasks, -1.0 points" in (ledger.folder / "run.log").read_text()
    fixed = RunFolder(tmp_path / "fixed", RefineConfig())
    assert not phases.should_stop_early(fixed, 3)


def test_the_loop_goes_no_further_once_it_should_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(phases, "should_stop_early", lambda _, iteration: iteration == 2)
    ledger = RunFolder(tmp_path / "run", RefineConfig(iterations=4))
    refine(ledger, [task("a", "train")], step=lambda name, *_: called.append(name))
    assert called[-1] == "2/evaluate"


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
    cut = RunFolder(tmp_path / "cut", settings)
    cut.stop_requested = lambda: bool(cut.samples(1, "train"))
    again = RunFolder(tmp_path / "cut", settings)
    with Sandbox(settings.sandbox) as sandbox, Engine() as engine:
        grader = Grader(sandbox)
        phases.sample(whole, tasks, 1, grader, engine)
        with pytest.raises(StopRequested):
            phases.sample(cut, tasks, 1, grader, engine)
        assert 0 < len(cut.samples(1, "train")) < 12
        phases.sample(again, tasks, 1, grader, engine)
    assert [(s.key, s.completion) for s in again.samples(1, "train")] == [
        (s.key, s.completion) for s in whole.samples(1, "train")
    ]


def test_verdicts_are_stored_while_others_are_still_drawn(tiny_model: str, tmp_path: Path) -> None:
    settings = config(tiny_model)
    tasks = select_tasks(load_tasks("starter"), settings)
    has_graded = threading.Event()

    class Telling(Grader):
        def grade(self, *args: Any) -> dict[SampleKey, Verdict]:
            verdicts = super().grade(*args)
            has_graded.set()
            return verdicts

    class Waiting(Engine):
        def generate(self, *args: Any, **kwargs: Any) -> Iterator[Drawn]:
            for drawn in super().generate(*args, **kwargs):
                yield drawn
                assert has_graded.wait(30), "nothing is graded before the last program is drawn"

    def report(iteration: int, phase: str, done: int, total: int) -> None:
        drawn = ledger.samples(1, "train")
        seen.append((len(drawn), sum(s.verdict is not None for s in drawn)))

    seen: list[tuple[int, int]] = []  # samples and their verdicts, at every report
    ledger = RunFolder(tmp_path / "run", settings, report)
    with Sandbox(settings.sandbox) as sandbox, Waiting() as engine:
        phases.sample(ledger, tasks, 1, Telling(sandbox), engine)
    assert seen == [(0, 0), (6, 0), (12, 6)]
    assert all(sample.verdict for sample in ledger.samples(1, "train")), "none is left to execute"


def task(task_id: str, split: str) -> Task:
    return Task(task_id=task_id, kind="python", split=split, prompt="p", gold="result = 1")  # type: ignore[arg-type]


def test_validation_takes_whole_families_of_each_language() -> None:
    tasks = load_tasks("starter")
    chosen = select_tasks(tasks, RefineConfig.for_model("starter"))
    kept = [task for task in chosen if task.split == "validation"]
    train = [task for task in chosen if task.split == "train"]
    assert (len(train), len(kept)) == (320, 80)
    assert {t.kind for t in kept} == {"sql", "python"}
    assert not {t.family for t in kept} & {t.family for t in train}
    assert sum(t.split == "heldout" for t in chosen) == 400
    whole = select_tasks(tasks, RefineConfig.for_model("starter", validation_share=0))
    assert not [task for task in whole if task.split == "validation"]


def test_a_set_may_name_its_own_validation_tasks() -> None:
    tasks = [task(str(n), "train") for n in range(20)]
    tasks += [task("v", "validation"), task("h", "heldout")]
    chosen = select_tasks(tasks, RefineConfig())
    assert [t.task_id for t in chosen if t.split == "validation"] == ["v"]


def test_a_limit_is_spread_over_the_set() -> None:
    tasks = [task(str(i), "train") for i in range(10)] + [task("h", "heldout")]
    chosen = select_tasks(tasks, RefineConfig(max_train=3))
    assert [t.task_id for t in chosen] == ["0", "3", "6", "h"]


def test_a_set_without_held_out_tasks_says_so() -> None:
    with pytest.raises(TaskError, match="no heldout tasks"):
        select_tasks([task("a", "train")], RefineConfig(tasks="mine.jsonl"))
