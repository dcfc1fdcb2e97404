"""A run is paused before the disk is full, says why, and goes on when there is room."""

import shutil
import signal
from pathlib import Path

import pytest

from codelutra.disk_watch import min_free_mb, shortage
from codelutra.errors import CodeLutraError
from storage import jobs
from storage.run_status import RunStatus
from tests.lab import Lab, kill, lab
from tests.test_worker import SMALL, assert_complete, log_of

__all__ = ["lab"]


@pytest.fixture
def database(home: Path) -> Path:
    return home


@pytest.mark.slow
def test_a_run_is_paused_with_its_reason_and_goes_on_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    more_than_there_is = shutil.disk_usage(lab.home).total // 1_000_000 + 1
    monkeypatch.setenv("CODELUTRA_MIN_FREE_MB", str(more_than_there_is))
    run_id = lab.submit(**{**SMALL, "max_train": 20})
    worker = lab.started_worker(batch_s=0.2)
    lab.wait_for(run_id, RunStatus.PAUSED)
    kill(worker, signal.SIGTERM)
    (line,) = [line for line in log_of(run_id) if line.startswith("paused: ")]
    assert f"MB left, below {more_than_there_is} (CODELUTRA_MIN_FREE_MB)" in line
    monkeypatch.setenv("CODELUTRA_MIN_FREE_MB", "0")
    jobs.resume(run_id)
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=20, iterations=1, num_samples=4)


def test_the_bound_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shortage(tmp_path, 0) == ""
    monkeypatch.setenv("CODELUTRA_MIN_FREE_MB", "much")
    with pytest.raises(CodeLutraError, match="CODELUTRA_MIN_FREE_MB=much: write a number"):
        min_free_mb()
