"""The smoke test: the run's settings on one task, and a success without a pair, too."""

from pathlib import Path

from codelutra import phases, smoke
from codelutra.config import RefineConfig
from codelutra.generation import Engine
from codelutra.run_folder import RunFolder
from codelutra.tasks import Task, load_tasks, select_tasks


def test_it_is_the_run_on_one_task_once() -> None:
    whole = RefineConfig.for_model("starter", training={"lora_rank": 8}, stop="no_gain")
    config = smoke.smoke_of(whole)
    assert (config.smoke, config.iterations, config.stop) == (True, 1, "fixed")
    assert (config.sampling.num_samples, config.sampling.extra_samples) == (10, 0)
    assert (config.training.epochs, config.training.lora_rank) == (1, 8)
    assert smoke.smoke_of(config) == config
    splits = [task.split for task in select_tasks(load_tasks("starter"), config)]
    assert splits == ["train", "heldout"]


def test_the_task_is_the_hardest_that_is_trained_on() -> None:
    def task(name: str, prompt: int, gold: int, split: str = "train") -> Task:
        return Task(task_id=name, kind="python", prompt="p" * prompt, gold="g" * gold, split=split)

    tasks = [
        task("easy", 10, 10),
        task("hard", 20, 50),
        task("too long", 9_000, 90),
        task("held", 10, 10, "heldout"),
        task("validated", 10, 99, "validation"),
    ]
    config = smoke.smoke_of(RefineConfig())
    assert [found.task_id for found in select_tasks(tasks, config)] == ["hard", "held"]
    without = config.model_copy(update={"quarantined": ("hard",)})
    assert select_tasks(tasks, without)[0].task_id == "easy"


def test_no_pair_is_said_and_is_no_failure(tmp_path: Path) -> None:
    ledger = RunFolder(tmp_path, smoke.smoke_of(RefineConfig()))
    ledger.add_pairs(1, [])
    phases.train(ledger, [], 1, Engine())
    assert ledger.adapter(1) is None
    assert (tmp_path / "run.log").read_text() == smoke.NO_PAIR + "\n"
    lines = smoke.phase_lines({"sample": 1.2, "execute": 0.1, "pair": 0.0}, was_trained=False)
    assert lines == ["sample: 1.2 s", "execute: 0.1 s", "pair: 0.0 s", f"train: {smoke.NO_PAIR}"]
