"""Cleaning up: shown first, and nothing that a run or a person still needs."""

from pathlib import Path

import pytest

from codelutra.cli import main
from codelutra.config import RefineConfig
from codelutra.records import Adapter
from codelutra.run_rows import RunRows
from storage import db, jobs


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def completed(home: Path) -> Path:
    """Run 1 is completed with three adapters, run 2 still waits in the queue."""
    jobs.prepare(home)
    for _ in range(2):
        config = RefineConfig.for_model("starter", iterations=3).model_dump(mode="json")
        with db.open_session() as session:
            run = jobs.submit(session, config=config, name="r", num_train=1, num_heldout=1)
        rows = RunRows(run.id or 0, run.workflow_id)
        for number in (1, 2, 3):
            folder = rows.folder / f"adapter-{number}"
            put(folder / "adapter_model.safetensors", "weights")
            rows.add_adapter(number, Adapter(str(folder), "sha", "starter", "main", "base"))
        put(rows.folder / "adapter-3.work/checkpoint-5/optimizer.pt", "12345")
    with db.current().engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = 'run-1-1'"
        )
    return home


def test_a_preview_deletes_nothing_and_then_only_what_it_showed(
    completed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = completed / "runs"
    assert main(["clean", "--dry-run", "--adapter", "1/1"]) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()] == ["5", "7", "12"]
    assert (runs / "1/adapter-3.work").is_dir()
    assert main(["clean", "--adapter", "1/1"]) == 0
    left = sorted(path.name for path in (runs / "1").iterdir())
    assert left == ["adapter-2", "adapter-3"]
    assert len(list((runs / "2").iterdir())) == 4
    assert RunRows(1, "run-1-1").adapter(1)  # its row stays


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1/3", "is the promoted or the last one"),
        ("2/1", "run 2 is not completed"),
        ("1/9", "there is none"),
        ("../x", "write RUN/ITERATION"),
    ],
)
def test_an_adapter_that_is_needed_is_kept(
    name: str, message: str, completed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean", "--adapter", name]) == 2
    assert message in capsys.readouterr().err
    assert len(list((completed / "runs/1").iterdir())) == 4
