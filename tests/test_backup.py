"""Backup and restore: what was there is there again, and nothing else is ever written."""

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra import backup
from codelutra.adapters import verify_adapter
from codelutra.backup import read_backup, write_backup
from codelutra.cli import main
from codelutra.errors import BackupError
from codelutra.models import file_sha256
from codelutra.records import Adapter
from codelutra.tasks.stored import ImportOptions, import_set, load_stored
from storage import db, jobs, queries, recording
from storage.pair_models import PairImport
from storage.run_status import RunStatus
from tests.lab import Lab, lab, wait_for
from tests.test_worker import LONG, counted

__all__ = ["lab"]


@pytest.fixture
def database(home: Path) -> Path:
    return home


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def fill(home: Path, tmp_path: Path) -> None:
    """A bit of everything, and a secret in and beside the home."""
    jobs.prepare(home)
    weights = put(home / "runs/1/adapter-1/adapter_model.safetensors", "weights")
    put(home / "runs/1/adapter-1/adapter_config.json", "{}")
    for step in (4, 12):
        put(home / f"runs/1/adapter-2.work/checkpoint-{step}/sealed.json")
    put(home / "runs/1/adapter-2.work/checkpoint-20/unsealed.bin")
    put(home / "runs/1/adapter-2.partial/adapter_model.safetensors")
    put(home / "runs/1/run.log", "hf_planted")
    put(home / "worker.log", "hf_planted")
    put(home / "token", "hf_planted")
    (home / "tasks").mkdir()
    (home / "tasks/link").symlink_to(put(tmp_path / "secret", "hf_planted"))
    with db.open_session() as session:
        run = queries.create_run(session, name="r", config={}, num_train=1, num_heldout=1)
        number = recording.ensure_iteration(session, run_id=run.id or 0, number=1)
        adapter = Adapter(str(weights.parent), file_sha256(weights), "starter", "main", "base")
        recording.add_adapter(session, iteration_id=number, row=vars(adapter))
        session.add(PairImport(run_id=1, name="p", path=str(put(home / "imports/1.jsonl"))))
    rows = tmp_path / "source"
    task = {
        "task_id": "q",
        "kind": "sql",
        "prompt": "p",
        "gold": "SELECT 1",
        "database": "d.sqlite",
    }
    put(rows / "own.jsonl", json.dumps(task) + "\n")
    sqlite3.connect(rows / "d.sqlite").execute("CREATE TABLE t (a)").connection.close()
    archive = shutil.make_archive(str(tmp_path / "own"), "zip", rows)
    import_set(Path(archive), "own", ImportOptions(heldout_share=0))
    put(home / "quarantine/own.json", "[]")


@pytest.fixture
def used(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    fill(home, tmp_path)
    return home


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup that nobody changes."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODELUTRA_HOME", str(folder / "home"))
        fill(folder / "home", folder)
        write_backup(folder / "home", folder / "out.zip")
    return folder / "out.zip"


def test_a_backup_restores_elsewhere_with_its_paths(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_backup(used, tmp_path / "out.zip")
    assert {file.path for file in made.files if not file.path.startswith("tasks/own/")} == {
        "codelutra.sqlite",
        "imports/1.jsonl",
        "quarantine/own.json",
        "runs/1/adapter-1/adapter_config.json",
        "runs/1/adapter-1/adapter_model.safetensors",
        "runs/1/adapter-2.work/checkpoint-12/sealed.json",
    }
    shutil.rmtree(used)
    new = tmp_path / "elsewhere"
    monkeypatch.setenv("CODELUTRA_HOME", str(new))
    read_backup(tmp_path / "out.zip", new)
    db.init(new)
    with db.open_session() as session:
        row = queries.adapter(session, iteration_id=1)
        waiting = session.get_one(PairImport, 1)
    assert row is not None
    assert row.path == str(new / "runs/1/adapter-1")
    verify_adapter(Adapter(**row.model_dump(exclude={"iteration_id"})))
    assert Path(waiting.path).is_file()
    assert [Path(task.database).is_relative_to(new) for task in load_stored("own")] == [True]
    assert Path(load_stored("own")[0].database).is_file()
    assert not (new / backup.RESTORING).exists()


def test_no_secret_is_in_a_backup(used: Path, tmp_path: Path) -> None:
    write_backup(used, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert len(archive.namelist()) > 5
        assert not [name for name in archive.namelist() if b"hf_planted" in archive.read(name)]


def test_a_used_home_is_refused(used: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["backup", str(tmp_path / "out.zip")]) == 0
    assert main(["restore", str(tmp_path / "out.zip")]) == 2
    assert "is in use: restore into a new or empty folder" in capsys.readouterr().err


def change_manifest(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        with zipfile.ZipFile(path) as old:
            held = {name: old.read(name) for name in old.namelist()}
        manifest = json.loads(held[backup.MANIFEST])
        change(manifest)
        held[backup.MANIFEST] = json.dumps(manifest).encode()
        with zipfile.ZipFile(path, "w") as new:
            for name, content in held.items():
                new.writestr(name, content)

    return edit


def rename(to: str) -> Callable[[Path], None]:
    return change_manifest(lambda manifest: manifest["files"][1].update(path=to))


def add_member(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../evil", "x")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-400])


HOSTILE = {
    "up": (rename("runs/../../evil"), "would write to"),
    "absolute": (rename("/tmp/evil"), "would write to"),
    "windows": (rename("runs\\..\\evil"), "would write to"),
    "outside": (rename("worker.lock"), "would write to"),
    "odd": (rename("runs/./evil"), "would write to"),
    "member": (add_member, "which its manifest does not"),
    "cut": (cut, "no whole backup"),
    "hash": (
        change_manifest(lambda m: m["files"][1].update(sha256="0" * 64)),
        "in the backup is damaged",
    ),
    "longer": (
        change_manifest(lambda m: m["files"][1].update(bytes=m["files"][1]["bytes"] - 1)),
        "in the backup is damaged",
    ),
    "huge": (change_manifest(lambda m: m["files"][1].update(bytes=1 << 60)), "bytes are needed"),
    "format": (change_manifest(lambda m: m.update(format=9)), "is of format 9"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_or_damaged_backup_writes_nothing(case: str, whole: Path, tmp_path: Path) -> None:
    edit, message = HOSTILE[case]
    shutil.copyfile(whole, tmp_path / "out.zip")
    edit(tmp_path / "out.zip")
    new = tmp_path / "a" / "new"
    with pytest.raises(BackupError, match=message):
        read_backup(tmp_path / "out.zip", new)
    assert not (new / "codelutra.sqlite").exists()
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/tmp/evil").exists()


def test_a_backup_of_a_newer_codelutra_is_refused(used: Path, tmp_path: Path) -> None:
    with db.current().engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    write_backup(used, tmp_path / "out.zip")
    with pytest.raises(BackupError, match="written by a newer CodeLutra"):
        read_backup(tmp_path / "out.zip", tmp_path / "new")
    assert not (tmp_path / "new/codelutra.sqlite").exists()


def test_a_restore_that_was_cut_short_is_begun_anew(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(backup.portable, "adopt_copy", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            read_backup(whole, tmp_path / "new")
    read_backup(whole, tmp_path / "new")
    assert (tmp_path / "new/codelutra.sqlite").is_file()


@pytest.mark.slow
def test_a_backup_under_a_working_worker_goes_on_elsewhere(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = lab.submit(**LONG)
    lab.started_worker()
    wait_for(lambda: counted(run_id) > 20)
    write_backup(lab.home, tmp_path / "out.zip")
    read_backup(tmp_path / "out.zip", tmp_path / "new")
    db.init(tmp_path / "new")
    jobs.prepare(tmp_path / "new")
    assert counted(run_id) >= 20
    assert jobs.status(run_id) is RunStatus.INTERRUPTED
