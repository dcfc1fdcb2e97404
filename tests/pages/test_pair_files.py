"""A run's pairs as a download, and an upload that the worker imports: without a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from codelutra.errors import CodeLutraError
from codelutra.import_rows import run_import
from pages import pair_files
from pages.pair_files import KEPT_S, export_pairs, keep, make, poll
from pages.pair_look import Look
from storage import db, pair_imports
from storage.models import Run
from storage.pair_queue import PairFilter
from tests.pages.test_app import client
from tests.pair_files import good, read_rows, write_rows, write_set
from tests.storage.pair_rows import add_pairs

__all__ = ["client"]

MARKUP = "<img src=x onerror=alert(1)>"
FREE = {"prompt": "Say it.", "chosen": "it", "rejected": "that"}


@pytest.fixture
def run_id(add_run: Any, tmp_path: Path) -> int:
    """A run of a small task set, which nobody works on."""
    found: int = add_run()
    tasks = write_set(tmp_path / "set.jsonl")
    with db.open_session() as session:
        run = session.get_one(Run, found)
        run.config = {**run.config, "tasks": str(tasks), "validation_share": 0.0}
    return found


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def give(run_id: int, path: Path, *, skip_bad: bool = False) -> int:
    """As the page does, and then the worker."""
    import_id = keep(run_id, str(path), skip_bad=skip_bad)
    run_import(import_id)
    return import_id


def shown(run_id: int) -> str:
    return str(poll(Look(PairFilter(run_id)), None)[0])


def test_a_download_holds_what_training_reads(run_id: int, temp: Path) -> None:
    give(run_id, write_rows(temp / "a.jsonl", good(0), FREE))
    path, tally = make(run_id, "training", ".jsonl")
    assert (path.name, tally.total) == (f"run-{run_id}-training.jsonl", 2)
    assert [row["chosen"] for row in read_rows(path)] == ["result = 0 + 0", "it"]
    parquet, _ = make(run_id, "all", ".parquet")
    assert parquet.read_bytes()[:4] == b"PAR1"
    with pytest.raises(CodeLutraError, match="no pair of the run is like that"):
        make(run_id, "vetoed", ".jsonl")
    with pytest.raises(CodeLutraError, match="choose training, all"):
        make(run_id, "../x", ".jsonl")


def test_old_downloads_go(run_id: int, temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give(run_id, write_rows(temp / "a.jsonl", FREE))
    first, _ = make(run_id, "all", ".jsonl")
    second, _ = make(run_id, "all", ".jsonl")
    assert first.exists()
    monkeypatch.setattr(pair_files, "KEPT_S", -1.0)
    third, _ = make(run_id, "all", ".jsonl")
    assert (first.exists(), second.exists(), third.exists()) == (False, False, True)
    assert KEPT_S > 600


def test_an_upload_is_kept_for_the_worker_and_not_read_here(run_id: int, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", good(0))
    import_id = keep(run_id, str(path), skip_bad=False)
    with db.open_session() as session:
        wish = pair_imports.get(session, import_id=import_id)
    assert wish
    kept = Path(wish.path)
    assert kept.read_text() == path.read_text()
    assert kept.parent == db.current().home / "imports"
    assert "a.jsonl</b> waits for the worker" in shown(run_id)
    with pytest.raises(CodeLutraError, match=r"a\.jsonl is being imported into this run"):
        keep(run_id, str(path), skip_bad=False)
    run_import(import_id)
    assert not kept.exists()
    run_import(import_id)  # again, as after a crash: it has ended
    assert "1 pairs joined iteration 1 (1 executed)." in shown(run_id)
    again = give(run_id, path)
    assert again != import_id
    assert "0 pairs joined iteration 1 (0 executed). 1 skipped" in shown(run_id)


def test_what_is_refused_is_listed_as_text(run_id: int, tmp_path: Path) -> None:
    path = tmp_path / f"{MARKUP.replace('/', '')}.jsonl"
    bad = {"chosen": "a", "rejected": "b", "task_id": MARKUP}
    give(run_id, write_rows(path, good(0), *[bad] * 30))
    message = shown(run_id)
    assert "nothing was stored, 30 rows are bad" in message
    assert "line 2: task_id &#x27;&lt;img" in message
    assert "and 10 more" in message
    assert "<img" not in message
    give(run_id, path, skip_bad=True)
    assert "1 pairs joined iteration 1 (1 executed). 30 refused." in shown(run_id)


def test_an_import_under_way_shows_how_far_it_is(run_id: int, tmp_path: Path) -> None:
    import_id = keep(run_id, str(write_rows(tmp_path / "a.jsonl", good(0))), skip_bad=False)
    look = Look(PairFilter(run_id))
    _, seen = poll(look, None)
    assert poll(look, seen) == [{"__type__": "update"}] * 2
    with db.open_session() as session:
        pair_imports.set_done(session, import_id=import_id, done=3, total=9)
        wish = pair_imports.get(session, import_id=import_id)
    assert poll(look, seen)[1] != seen
    running = pair_files.describe(wish, pair_imports.RunStatus.RUNNING)
    assert "3 of 9 pairs executed" in running
    assert '<progress max="9" value="3"' in running
    failed = pair_files.describe(wish, pair_imports.RunStatus.FAILED, "because " + MARKUP)
    assert "nothing was stored. because &lt;img" in failed


def test_only_files_of_pairs_are_kept(run_id: int, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    with pytest.raises(CodeLutraError, match=r"a\.csv: give a \.jsonl or a \.parquet file"):
        keep(run_id, str(path), skip_bad=False)
    with pytest.raises(CodeLutraError, match="there is no run 99"):
        keep(99, str(path.with_suffix(".jsonl")), skip_bad=False)
    assert not (db.current().home / "imports").exists()


def test_a_program_reads_pairs_and_imports(client: Client, run_id: int, tmp_path: Path) -> None:
    import_id = give(run_id, write_rows(tmp_path / "a.jsonl", good(0), FREE))
    rows = client.predict(run_id, "training", api_name="/export_pairs")
    assert [(row["prompt"], row["source"]) for row in rows][1:] == [("Say it.", "imported")]
    assert rows == export_pairs(run_id)
    found = client.predict(import_id, api_name="/pair_import")
    assert (found["run"], found["file"], found["status"]) == (run_id, "a.jsonl", "completed")
    assert found["result"]["num_added"] == 2
    for given, name, message in (
        ((run_id, "nonsense"), "/export_pairs", "state is one of training, all"),
        ((99, "all"), "/export_pairs", "there is no run 99"),
        ((99,), "/pair_import", "there is no import 99"),
    ):
        with pytest.raises(AppError, match=message):
            client.predict(*given, api_name=name)
    assert add_pairs(run_id), "pairs of tasks that the set does not have"
    with pytest.raises(AppError, match="has no task 't0' any more"):
        client.predict(run_id, "all", api_name="/export_pairs")
