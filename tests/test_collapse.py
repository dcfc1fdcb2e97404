"""The starter itself, refined well and badly: the alert comes while it can still be heeded."""

from pathlib import Path

import pytest

from codelutra import phases
from codelutra.config import RefineConfig
from codelutra.generation import Engine
from codelutra.grading import Grader
from codelutra.run_folder import RunFolder
from codelutra.sandbox import Sandbox
from codelutra.tasks import load_tasks, select_tasks

pytestmark = pytest.mark.slow
COLLAPSING = {"mode": "dpo", "learning_rate": 5e-3}


def test_a_collapse_raises_its_alert_in_mid_training_and_a_healthy_run_raises_none(
    tmp_path: Path,
) -> None:
    config = RefineConfig.for_model("starter", max_train=80, max_heldout=20)
    tasks = select_tasks(load_tasks("starter"), config)
    healthy = RunFolder(tmp_path / "healthy", config)
    with Sandbox(config.sandbox) as sandbox, Engine() as engine:
        grader = Grader(sandbox)
        phases.evaluate(healthy, tasks, 0, grader, engine)
        phases.sample(healthy, tasks, 1, grader, engine)
        phases.execute(healthy, tasks, 1, grader)
        phases.pair(healthy, tasks, 1)
        phases.train(healthy, tasks, 1, engine)
        phases.evaluate(healthy, tasks, 1, grader, engine)
    assert healthy.alerts(1) == []

    badly = RefineConfig.for_model("starter", training=COLLAPSING, max_train=80, max_heldout=20)
    collapsing = RunFolder(tmp_path / "collapsing", badly)
    collapsing.add_pairs(1, healthy.pairs(1) or [])
    phases.train(collapsing, tasks, 1, Engine())
    (alert,) = [a for a in collapsing.alerts(1) if a.kind == "chosen_falling"]
    steps = len((collapsing.folder / "training-1.jsonl").read_text().splitlines())
    assert alert.step is not None
    assert alert.step < steps
    assert "mode dual" in alert.advice
    assert "ALERT the correct programs have become" in (collapsing.folder / "run.log").read_text()
