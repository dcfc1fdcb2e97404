"""A training that is killed, and adapters that are damaged. Real child processes."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from codelutra.adapters import MANIFEST, verify_adapter
from codelutra.config import RefineConfig
from codelutra.errors import AdapterError, StopRequested, TrainingError
from codelutra.records import Adapter, PreferencePair, TrainingFacts
from codelutra.tasks import Task
from codelutra.training import train_adapter

TASKS = {
    str(n): Task(task_id=str(n), kind="sql", prompt=f"-- rows with b {n}?\n", gold="SELECT 1;")  # type: ignore[call-arg]
    for n in range(12)
}
PAIRS = [
    PreferencePair(task, f"SELECT {n} FROM t WHERE b = {task};", f"SELECT {n} FRM t;", n, 9)
    for task in TASKS
    for n in range(2)
]
OnStep = Callable[[int, int, dict[str, Any]], None]


def trained(
    model: str,
    folder: Path,
    on_step: OnStep,
    stop: Callable[[], bool] = lambda: False,
    **training: Any,
) -> Adapter:
    settings = {"batch_size": 2, "learning_rate": 1e-3, "checkpoint_s": 0, "epochs": 2, **training}
    return train_adapter(
        TASKS,
        PAIRS,
        RefineConfig.for_model(model, training=settings),
        parent=None,
        in_order=False,
        out=folder / "adapter-1",
        log=folder / "train.log",
        on_step=on_step,
        on_facts=lambda facts: seen.append(facts),
        should_stop=stop,
    )


seen: list[TrainingFacts] = []


def kill_child_at(step: int) -> OnStep:
    """SIGKILL to the training process: forked by the fork server, leader of a session."""

    def on_step(now: int, _steps: int, _metrics: dict[str, Any]) -> None:
        if now == step:
            (child,) = [
                process.pid
                for process in psutil.Process().children(recursive=True)
                if process.status() != psutil.STATUS_ZOMBIE  # another test's
                and "multiprocessing.forkserver" in " ".join(process.cmdline())
                and os.getsid(process.pid) == process.pid
            ]
            os.kill(child, signal.SIGKILL)

    return on_step


@pytest.fixture(scope="module")
def undisturbed(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    return trained(tiny_model, tmp_path_factory.mktemp("whole"), lambda *_: None)


@pytest.mark.slow
def test_a_killed_training_goes_on_in_mid_epoch(
    tiny_model: str, tmp_path: Path, undisturbed: Adapter
) -> None:
    with pytest.raises(TrainingError, match="died"):
        trained(tiny_model, tmp_path, kill_child_at(7))
    steps: list[int] = []
    adapter = trained(tiny_model, tmp_path, lambda now, *_: steps.append(now))
    assert 1 < steps[0] <= 12  # of the first epoch: neither from the start, nor an epoch later
    assert steps[-1] == 24
    assert adapter.sha256 == undisturbed.sha256
    assert not (tmp_path / "adapter-1.work").exists()


@pytest.mark.slow
def test_a_checkpoint_that_was_being_written_is_passed_over(
    tiny_model: str, tmp_path: Path, undisturbed: Adapter
) -> None:
    with pytest.raises(TrainingError, match="died"):
        trained(tiny_model, tmp_path, kill_child_at(7))
    newest = max((tmp_path / "adapter-1.work").glob("checkpoint-*"), key=lambda f: int(f.name[11:]))
    weights = newest / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8] + b"\0" * 8)
    steps: list[int] = []
    adapter = trained(tiny_model, tmp_path, lambda now, *_: steps.append(now))
    assert 1 < steps[0] <= int(newest.name[11:])
    assert adapter.sha256 == undisturbed.sha256


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_is_not_taken_up(tiny_model: str, tmp_path: Path) -> None:
    stop: list[int] = []
    with pytest.raises(StopRequested):
        trained(tiny_model, tmp_path, lambda now, *_: stop.append(now), lambda: len(stop) > 5)
    steps: list[int] = []
    trained(tiny_model, tmp_path, lambda now, *_: steps.append(now), learning_rate=2e-3)
    assert steps[0] == 1


def test_an_adapter_says_what_it_was_made_of(undisturbed: Adapter) -> None:
    kept = json.loads(Path(undisturbed.path, MANIFEST).read_text())
    assert kept["sha256"] == undisturbed.sha256
    assert kept["base_revision"].startswith("sha256:")
    assert len(undisturbed.config_sha256) == len(undisturbed.data_sha256) == 64
    assert kept["data_sha256"] == undisturbed.data_sha256
    assert seen[-1].num_pairs == len(PAIRS)
    assert seen[-1].run_tokens < seen[-1].stock_tokens


@pytest.mark.parametrize("damage", ["a flipped bit", "a missing file"])
def test_a_damaged_adapter_is_refused_in_one_line(
    undisturbed: Adapter, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "adapter-1"
    shutil.copytree(undisturbed.path, folder)
    adapter = replace(undisturbed, path=str(folder))
    verify_adapter(adapter)
    weights = folder / "adapter_model.safetensors"
    if damage == "a missing file":
        weights.unlink()
    else:
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    with pytest.raises(AdapterError, match=r"adapter-1 is damaged.*(restore|refine again)"):
        verify_adapter(adapter)


@pytest.mark.slow
def test_two_processes_of_accelerate_train_one_adapter(tiny_model: str, tmp_path: Path) -> None:
    steps: list[int] = []
    adapter = trained(
        tiny_model, tmp_path, lambda now, *_: steps.append(now), num_processes=2, batch_size=4
    )
    verify_adapter(adapter)
    assert steps == list(range(1, 13))  # 24 pairs, two processes of two pairs each, twice


@pytest.mark.slow
def test_an_error_of_several_processes_is_one_line(tiny_model: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="every pair is longer than 16 tokens"):
        trained(tiny_model, tmp_path, lambda *_: None, num_processes=2, max_length=16)
