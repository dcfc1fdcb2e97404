"""A run as a bundle, and run again from it."""

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from codelutra.bundle import MANIFEST, bundle, data_of, read_bundle
from codelutra.cli import main
from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.loop import refine
from codelutra.rerun import Rerun
from codelutra.run_folder import RunFolder
from codelutra.tasks import Task, load_tasks, select_tasks
from tests.finished_run import Run, adapters, fill, new_run
from tests.lab import database
from tests.test_loop import config

__all__ = ["adapters", "database", "new_run"]


SETTINGS = {
    "tasks": "starter",
    "max_train": 5,
    "max_heldout": 4,
}


@pytest.fixture
def run(tiny_model: str, tmp_path: Path, adapters: list[Path]) -> Run:
    settings = RefineConfig(model=tiny_model, iterations=3, **SETTINGS)
    ledger = fill(RunFolder(tmp_path / "run", settings), adapters)
    return Run(ledger=ledger, name=str(tmp_path / "run"))


def written(run: Run, out: Path) -> Path:
    assert main(["export", "bundle", run.name, "--out", str(out)]) == 0
    return out


def changed(path: Path, **changes: Any) -> Path:
    """The bundle with other values in its manifest."""
    with zipfile.ZipFile(path) as file:
        manifest = json.loads(file.read(MANIFEST))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(MANIFEST, json.dumps(manifest | changes))
    return path


def again(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main(["refine", "--from", str(path), *options])
    return code, capsys.readouterr().err


def test_a_bundle_says_all_that_decides_a_run_and_nothing_of_this_machines_folders(
    new_run: Callable[..., Run], adapters: list[Path], tiny_model: str, tmp_path: Path
) -> None:
    run = new_run(**SETTINGS)
    fill(run.ledger, adapters)
    path = written(run, tmp_path / "b.zip")
    found = read_bundle(path)
    assert found.config["sampling"] == run.ledger.config.sampling.model_dump(mode="json")
    assert found.tasks.num_tasks == {"train": 5, "heldout": 4}
    assert [row.sha256 for row in found.adapters] == [run.ledger.adapter(n).sha256 for n in (1, 2)]
    assert found.results.base
    assert found.results.base.pass_at_1 == run.ledger.scores(0).pass_at_1
    assert found.packages["torch"].startswith("2.")
    with zipfile.ZipFile(path) as file:
        text = b"".join(map(file.read, file.namelist())).decode()
    for private in (str(tmp_path), str(Path(tiny_model).parent), str(Path.home())):
        assert private not in text
    assert "## Held-out accuracy" in text
    assert not list(tmp_path.glob("*.partial"))


def test_other_tasks_and_another_model_are_refused_before_anything_runs(
    run: Run, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(run, tmp_path / "b.zip")
    assert again(path, capsys)[0] == 2  # a folder of that name is not here
    code, said = again(path, capsys, "--model", "starter")
    assert (code, "give that model with --model" in said) == (2, True)
    task = {"task_id": "a", "kind": "python", "prompt": "a\n", "gold": "result = 1"}
    rows = [task | {"task_id": split, "split": split} for split in ("train", "heldout")]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, said = again(path, capsys, "--model", tiny_model, "--tasks", str(other))
    assert (code, "2 tasks of other.jsonl have sha256" in said) == (2, True)
    code, said = again(path, capsys, "--set", "training.beta=1")
    assert (code, "--set: with --from the bundle alone decides" in said) == (2, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"tasks": None}, "damaged bundle, tasks"),
        ({"config": {"iterations": -1}}, "the bundle's setting iterations"),
        ({"config": {"new": 1}}, "the bundle's setting new"),
        ({"results": {"run": {}, "base": None}}, "damaged bundle, results.iterations"),
    ],
)
def test_what_is_no_bundle_of_ours_is_said_in_a_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: Any, said: str
) -> None:
    path = changed(written(run, tmp_path / "b.zip"), **changes)
    capsys.readouterr()
    code, message = again(path, capsys)
    assert (code, said in message, message.count("\n")) == (2, True, 1)


def test_what_else_may_change_the_results_is_said(run: Run, tiny_model: str) -> None:
    made = bundle(run.ledger)
    made = made.model_copy(
        update={"packages": made.packages | {"trl": "0.9"}, "reviewed": {1: 3}, "python": "3.9.1"}
    )
    config = run.ledger.config
    notes = Rerun(made, config, Path()).differences(select_tasks(load_tasks("starter"), config))
    assert any(note.startswith("trl: ") and note.endswith("0.9 there") for note in notes)
    assert any("3.9.1 there" in note for note in notes)
    assert any("people changed 3 of the pairs of iteration 1" in note for note in notes)
    assert len(notes) == 3


def test_the_hash_of_tasks_is_of_what_is_in_them_wherever_they_lie(tmp_path: Path) -> None:
    def data(name: str, value: int) -> str:
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(f"CREATE TABLE t (a); INSERT INTO t VALUES ({value});")
        task = Task(task_id="a", kind="sql", prompt="a", gold="SELECT 1", database=str(path))
        return data_of(name, [task]).sha256

    first = data("one.sqlite", 1)
    assert data("two.sqlite", 1) == first
    assert data("three.sqlite", 2) != first
    with closing(sqlite3.connect(tmp_path / "two.sqlite")) as connection:
        connection.execute("VACUUM")  # another change counter
    task = Task(task_id="a", kind="sql", prompt="a", gold="SELECT 1",
                database=str(tmp_path / "two.sqlite"))  # fmt: skip
    assert data_of("two", [task]).sha256 == first


@pytest.mark.slow
def test_a_bundle_runs_again_to_the_same_adapter(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(tiny_model)
    ledger = RunFolder(tmp_path / "run", settings)
    refine(ledger, select_tasks(load_tasks("starter"), settings))
    path = written(Run(name=str(tmp_path / "run")), tmp_path / "b.zip")
    assert main(["refine", "--from", str(path), "--model", tiny_model]) == 0
    said = capsys.readouterr().out
    assert "base: pass@1 0.0% there, 0.0% here, every count of verdicts the same\n" in said
    assert "iteration 1: pass@1 0.0% there, 0.0% here, every count" in said
    assert said.rstrip().endswith("the same adapter")


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_text("hello")
    with pytest.raises(CodeLutraError, match="is no bundle"):
        read_bundle(path)
    with pytest.raises(CodeLutraError, match="there is no file"):
        read_bundle(tmp_path / "c.zip")
