"""Snapshots: taken beside a run, kept five deep, restored on an empty disk."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from codelutra import backup, snapshot_state, snapshots
from codelutra.config import RefineConfig
from codelutra.errors import BackupError
from codelutra.snapshot_state import read_state
from codelutra.snapshots import Snapshots, Store, restore_if_empty
from pages.caveats import banner
from storage import db, jobs, queries
from storage.run_status import RunStatus
from tests.lab import Lab, kill, lab, wait_for
from tests.test_worker import SMALL, assert_complete, counted, log_of

__all__ = ["lab"]


@pytest.fixture
def database(home: Path) -> Path:
    return home


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of one, on an S3 server of our own."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        fsspec.filesystem("s3").mkdir("lab")
        yield "s3://lab"
    server.stop()


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "s3":
        yield f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
        return
    yield f"{request.param}://{tmp_path}/store"
    fsspec.filesystem("memory").store.clear()


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def push(home: Path, url: str) -> None:
    scratch = home.parent / "scratch"
    Store(url).push(backup.gather(home, scratch))
    shutil.rmtree(scratch)


def add_run(name: str) -> None:
    with db.open_session() as session:
        queries.create_run(session, name=name, config={}, num_train=1, num_heldout=1)


def names() -> list[str]:
    with db.open_session() as session:
        return [run.name for run in queries.list_runs(session)]


def forget(home: Path) -> None:
    """An ephemeral disk after a restart."""
    shutil.rmtree(home)
    db.current().engine.dispose()
    db._current = None


def test_five_are_kept_and_the_newest_comes_back(
    home: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELUTRA_SNAPSHOT", url)
    jobs.prepare(home)
    for number in range(7):
        add_run(f"run {number}")
        put(home / "quarantine/set.json", str(number // 6))  # one file that changes once
        push(home, url)
    fs, root = fsspec.core.url_to_fs(url)
    assert len(fs.ls(f"{root}/snapshots")) == 5
    assert len(fs.ls(f"{root}/files")) == 5 + 2
    forget(home)
    assert restore_if_empty(home)
    assert restore_if_empty(home) is None  # it is in use now
    jobs.prepare(home)
    assert len(names()) == 7
    assert (home / "quarantine/set.json").read_text() == "1"


def test_a_damaged_one_is_passed_over_and_nothing_whole_is_no_start(
    home: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELUTRA_SNAPSHOT", url)
    assert restore_if_empty(home) is None  # there is none yet
    jobs.prepare(home)
    for number in range(2):
        add_run(f"run {number}")
        push(home, url)
    newest = Store(url).manifest(Store(url).names()[0]).files[0]
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/files/{newest.sha256}", b"x" * newest.bytes)
    forget(home)
    restore_if_empty(home)
    jobs.prepare(home)
    assert names() == ["run 0"]
    for path in fs.ls(f"{root}/files", detail=False):
        fs.rm_file(path)
    forget(home)
    with pytest.raises(BackupError, match=r"none of 2 snapshots at .* can be restored"):
        restore_if_empty(home)


def test_a_store_that_cannot_be_read_is_no_start_either(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELUTRA_SNAPSHOT", "nonsense://me:hunter2@there")
    with pytest.raises(BackupError, match="unset CODELUTRA_SNAPSHOT to begin") as caught:
        restore_if_empty(home)
    assert "hunter2" not in str(caught.value)


def test_a_failed_upload_is_shown_and_tried_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "RETRY_S", 0.05)
    jobs.prepare(home)
    add_run("kept")
    (tmp_path / "store").write_text("a file where a folder should be")
    taken = Snapshots(home, f"file://{tmp_path}/store", interval_s=0.05)
    taken.due()
    try:
        failing = wait_for(lambda: read_state(home).failing_since and read_state(home))
        (tmp_path / "store").unlink()
        wait_for(lambda: read_state(home).at and not read_state(home).failing_since)
    finally:
        taken.finish()
    assert "NotADirectoryError" in failing.error
    shown = banner(None, failing)
    assert "Snapshots fail since" in shown
    assert "There is none yet." in shown
    assert len(list((tmp_path / "store/snapshots").iterdir())) == 1  # nothing has changed since


def test_a_password_in_the_address_is_never_shown() -> None:
    failed = snapshot_state.SnapshotState().failed("now", "ftp://me:hunter2@there is gone")
    assert failed.error == "ftp://***@there is gone"


@pytest.mark.slow
def test_a_terminated_worker_snapshots_and_the_run_goes_on_from_an_empty_disk(
    lab: Lab, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("memory"):
        pytest.skip("a worker is another process")
    monkeypatch.setenv("CODELUTRA_SNAPSHOT", url)
    run_id = lab.submit(**{**SMALL, "max_train": 20})
    worker = lab.started_worker(batch_s=0.05)
    wait_for(lambda: counted(run_id) > 30)
    before = counted(run_id)  # what is there when it is told to end is in the last snapshot
    assert kill(worker, signal.SIGTERM) == 0
    forget(lab.home)
    lab.start_worker(batch_s=0.02)
    wait_for(lambda: (lab.home / "codelutra.sqlite").exists())
    jobs._database = None
    jobs.prepare(lab.home)
    assert counted(run_id) >= before
    lab.wait_for(run_id, RunStatus.COMPLETED)
    assert_complete(run_id, tasks=20, iterations=1, num_samples=4)
    assert sum("worker" in line for line in log_of(run_id)) == 2


TINY: dict[str, Any] = {
    "iterations": 2,
    "max_train": 6,
    "max_heldout": 2,
    "sampling": {"num_samples": 2, "max_new_tokens": 8},
    "training": {"epochs": 1},
}


def real_worker(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "codelutra", "worker"]
    return subprocess.Popen(command, env={**os.environ, "CODELUTRA_HOME": str(home)})


def adapters(run_id: int) -> list[str]:
    with db.open_session() as session:
        rows = queries.iterations(session, run_id=run_id)
        found = [queries.adapter(session, iteration_id=row.id or 0) for row in rows]
    return [row.sha256 for row in found if row]


def submit(home: Path, model: str) -> int:
    db._current = None
    jobs._database = None
    jobs.prepare(home)
    config = RefineConfig.for_model(model, tasks="starter", **TINY)
    with db.open_session() as session:
        run = jobs.submit(
            session,
            config=config.model_dump(mode="json"),
            name="a run",
            num_train=config.max_train,
            num_heldout=config.max_heldout,
        )
    return run.id or 0


@pytest.mark.slow
@pytest.mark.skipif(
    "CODELUTRA_FULL" not in os.environ, reason="minutes: the same with a fake worker is above"
)
def test_a_run_whose_disk_is_lost_ends_with_the_same_adapters(
    home: Path, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = tmp_path / "undisturbed"
    run_id = submit(undisturbed, tiny_model)
    worker = real_worker(undisturbed)
    wait_for(lambda: jobs.status(run_id) is RunStatus.COMPLETED, 300)
    expected = adapters(run_id)
    worker.kill()
    worker.wait()

    monkeypatch.setenv("CODELUTRA_SNAPSHOT", f"file://{tmp_path}/store")
    run_id = submit(home, tiny_model)
    worker = real_worker(home)
    wait_for(lambda: adapters(run_id), 300)
    worker.terminate()
    worker.wait(60)
    shutil.rmtree(home)
    worker = real_worker(home)
    wait_for(lambda: (home / "codelutra.sqlite").exists())
    db._current = None
    jobs._database = None
    jobs.prepare(home)
    assert adapters(run_id) == expected[:1]
    wait_for(lambda: jobs.status(run_id) is RunStatus.COMPLETED, 300)
    worker.kill()
    worker.wait()
    assert adapters(run_id) == expected
    assert len(expected) == 2
