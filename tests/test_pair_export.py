"""Exported pairs: what training reads, in a form that other people's trainers take."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from codelutra import __version__
from codelutra.cli import main
from codelutra.pair_export import COLUMNS
from tests.fake_hub import Hub, hub
from tests.finished_run import Run, adapters, fill, new_run
from tests.lab import database
from tests.pair_files import PROMPT, read_rows, write_set
from tests.test_cli import fails

__all__ = ["adapters", "database", "hub", "new_run"]


@pytest.fixture
def run(new_run: Callable[..., Run], adapters: list[Path], tmp_path: Path) -> Run:
    made = new_run(tasks=str(write_set(tmp_path / "set.jsonl")))
    fill(made.ledger, adapters)
    return made


@pytest.fixture
def dashboard(run: Run) -> Run:
    if not run.name.isdecimal():
        pytest.skip("a folder keeps no reviews")
    return run


def export(run: Run, out: Path, *options: str) -> list[dict[str, Any]]:
    assert main(["export", "pairs", run.name, "--out", str(out), *options]) == 0
    if out.suffix == ".jsonl":
        return read_rows(out)
    table = datasets.load_dataset("parquet", data_files=str(out), split="train")
    rows: list[dict[str, Any]] = table.to_list()
    return rows


def decide(run: Run, place: int, action: str, **why: str) -> None:
    from storage import db, queries, reviews

    with db.open_session() as session:
        iterations = queries.iterations(session, run_id=int(run.name))
        rows = [p for i in iterations for p in queries.pairs(session, iteration_id=i.id or 0)]
        pair = rows[place]
        assert pair.id
        decision = reviews.Decision(action, "ann", **why)
        reviews.decide(session, pair_id=pair.id, version=pair.version, decision=decision)


def test_a_row_says_what_trains_and_where_it_comes_from(run: Run, tmp_path: Path) -> None:
    rows = export(run, tmp_path / "new" / "pairs.jsonl")
    assert [row["iteration"] for row in rows] == [1, 1, 1, 2, 2, 2]
    gold, sampled = rows[3], rows[4]
    assert sampled == {
        "prompt": PROMPT.format(1), "chosen": "a", "rejected": "b",
        "task_id": "train-1", "run": run.name if run.name.isdecimal() else "run", "iteration": 2,
        "source": "sampled", "chosen_index": 1, "rejected_index": 4, "rejected_verdict": "",
        "state": "pending", "reason": "", "reviewer": "", "edited": False, "warnings": "",
        "doubt": 0.0, "base_model": Path(run.ledger.config.model).name,
        "adapter_sha256": run.ledger.adapter(1).sha256, "codelutra": __version__,
    }  # fmt: skip
    assert (gold["source"], gold["chosen_index"]) == ("gold", -1)
    assert rows[0]["adapter_sha256"] == "", "the base model wrote the first ones"
    assert len(export(run, tmp_path / "two.jsonl", "--iteration", "2")) == 3


def test_both_formats_hold_the_same_and_load_with_datasets(run: Run, tmp_path: Path) -> None:
    lines = export(run, tmp_path / "pairs.jsonl")
    assert export(run, tmp_path / "pairs.parquet") == lines
    loaded = datasets.load_dataset("json", data_files=str(tmp_path / "pairs.jsonl"), split="train")
    assert loaded.to_list() == lines
    assert list(loaded.features) == list(COLUMNS)


def test_trl_takes_the_rows_as_they_are(run: Run, tiny_model: str, tmp_path: Path) -> None:
    export(run, tmp_path / "pairs.jsonl")
    pairs = datasets.load_dataset("json", data_files=str(tmp_path / "pairs.jsonl"), split="train")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(tiny_model),
        args=DPOConfig(str(tmp_path / "out"), max_steps=1, use_cpu=True, report_to=[],
                       per_device_train_batch_size=2, bf16=False, disable_tqdm=True),
        train_dataset=pairs,
        processing_class=tokenizer,
    )  # fmt: skip
    row = trainer.train_dataset[0]
    assert tokenizer.decode(row["prompt_ids"]) == PROMPT.format(0)
    assert trainer.train().global_step == 1


def test_vetoes_flips_and_edits_are_heeded(dashboard: Run, tmp_path: Path) -> None:
    decide(dashboard, 0, "veto", reason="trivial")
    decide(dashboard, 1, "flip")
    decide(dashboard, 2, "keep")
    flipped, kept = export(dashboard, tmp_path / "a.jsonl", "--iteration", "1")
    assert (flipped["chosen"], flipped["rejected"]) == ("b", "a")
    assert (flipped["chosen_index"], flipped["rejected_index"]) == (4, 1)
    assert (flipped["state"], flipped["reviewer"]) == ("flipped", "ann")
    assert flipped["rejected_verdict"] == "correct"
    assert (kept["state"], kept["chosen"]) == ("kept", "a")
    (vetoed,) = export(dashboard, tmp_path / "b.jsonl", "--state", "vetoed")
    assert (vetoed["reason"], vetoed["task_id"]) == ("trivial", "train-0")
    assert len(export(dashboard, tmp_path / "c.jsonl", "--state", "all")) == 6
    assert len(export(dashboard, tmp_path / "d.jsonl", "--state", "pending")) == 3


def test_an_edited_program_is_exported_with_its_own_verdict(dashboard: Run, tmp_path: Path) -> None:
    from storage import db, queries, reviews
    from storage.pair_models import Trial

    with db.open_session() as session:
        iteration = queries.get_iteration(session, run_id=int(dashboard.name), number=1)
        pair = queries.pairs(session, iteration_id=iteration.id)[0]
        trial = Trial(
            tasks="x", task_id="train-0", completion="c", results=[{"verdict": "timeout"}]
        )
        session.add(trial)
        session.flush()
        reviews.edit(session, pair_id=pair.id, version=0, side="rejected", text="c",
                     trial_id=trial.id, reviewer="ann")  # fmt: skip
    row = export(dashboard, tmp_path / "a.jsonl")[0]
    assert (row["rejected"], row["rejected_verdict"]) == ("c", "timeout")
    assert (row["edited"], row["state"]) == (True, "kept")


def test_what_training_read_stays_what_is_exported(dashboard: Run, tmp_path: Path) -> None:
    from storage import db, queries

    decide(dashboard, 0, "veto")
    export(dashboard, tmp_path / "before.jsonl")
    with db.open_session() as session:
        found = queries.get_iteration(session, run_id=int(dashboard.name), number=1)
    assert found.frozen_review is None, "an export freezes nothing"
    trained = dashboard.ledger.training_pairs(1)
    decide(dashboard, 0, "keep")
    decide(dashboard, 1, "veto")
    rows = export(dashboard, tmp_path / "after.jsonl", "--iteration", "1")
    assert [row["task_id"] for row in rows] == [pair.task_id for pair in trained]
    assert [row["task_id"] for row in rows] == ["train-1", "train-2"]
    assert [row["state"] for row in rows] == ["pending", "pending"]
    now = export(dashboard, tmp_path / "now.jsonl", "--iteration", "1", "--state", "all")
    assert [row["state"] for row in now] == ["kept", "vetoed", "pending"]


def test_an_imported_pair_names_no_policy_that_did_not_write_it(
    dashboard: Run, tmp_path: Path
) -> None:
    from storage import db, queries, recording

    row = {"task_id": "elsewhere", "chosen": "x", "rejected": "y", "chosen_index": None,
           "rejected_index": None, "source": "imported", "prompt": "Say x.",
           "warnings": ["tiny_edit"], "doubt": 0.5}  # fmt: skip
    with db.open_session() as session:
        iteration = queries.get_iteration(session, run_id=int(dashboard.name), number=2)
        recording.insert_pairs(session, iteration_id=iteration.id, rows=[row])
    found = export(dashboard, tmp_path / "a.jsonl", "--iteration", "2")[-1]
    assert (found["prompt"], found["rejected"], found["warnings"]) == ("Say x.", "y", "tiny_edit")
    assert (found["base_model"], found["adapter_sha256"], found["source"]) == ("", "", "imported")
    assert (found["chosen_index"], found["doubt"]) == (-1, 0.5)


def test_columns_keep_their_type_however_long_the_file_is(tmp_path: Path) -> None:
    """Readers of JSONL tell types from the first 10 MB: a null there would fix them wrongly."""
    from codelutra.pair_export import Origin, StoredPair, row_of, write_pairs
    from codelutra.records import PairNotes, PreferencePair
    from codelutra.reviews import ReviewedPair

    origin = Origin("1", "starter", {"t": "p" * 2000}, {})

    def stored(n: int) -> StoredPair:
        late = n >= 5900
        pair = PreferencePair("t", f"a{n}", "b" * 300, n if late else None, n if late else None)
        notes = PairNotes(("tiny_edit",), 0.5) if late else PairNotes()
        return StoredPair(1, ReviewedPair(pair, "pending"), "", "", notes)

    out = tmp_path / "long.jsonl"
    write_pairs((row_of(stored(n), origin) for n in range(6000)), out)
    assert out.stat().st_size > 12_000_000
    assert len(datasets.load_dataset("json", data_files=str(out), split="train")) == 6000


def test_lines_taken_out_of_a_folder_by_hand_are_not_exported(run: Run, tmp_path: Path) -> None:
    if run.name.isdecimal():
        pytest.skip("of a folder")
    path = Path(run.name) / "pairs-1.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    rows = export(run, tmp_path / "a.jsonl", "--iteration", "1")
    assert [row["task_id"] for row in rows] == ["train-1", "train-2"]


def test_each_bad_wish_is_one_line_and_leaves_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def message(*options: str, out: str = "out.jsonl", name: str = run.name) -> str:
        text = fails(capsys, "export", "pairs", name, "--out", str(tmp_path / out), *options)
        assert not list(tmp_path.glob("out*"))
        return text

    assert "call it FILE.jsonl or FILE.parquet" in message(out="out.csv")
    assert "nothing public without --push" in message("--public")
    assert "OWNER/NAME" in message("--push", "name")
    assert "no pair of the run is like that" in message("--state", "kept")
    assert "no pair of the run is like that" in message("--iteration", "7")
    assert "no run 4711" in message(name="4711")
    (tmp_path / "there.jsonl").write_text("mine")
    assert "there.jsonl exists" in message(out="there.jsonl")
    assert (tmp_path / "there.jsonl").read_text() == "mine"
    write_set(tmp_path / "set.jsonl", train=1)
    assert "has no task 'train-1' any more" in message()


def test_a_push_makes_a_private_dataset_with_a_card(
    hub: Hub, dashboard: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(dashboard, 0, "veto", reason="wrong_gold")
    out = tmp_path / "mine.parquet"
    export(dashboard, out, "--push", "me/mine", "--state", "all")
    assert hub.is_private is True
    assert hub.kinds == {"dataset"}
    assert set(hub.files) == {"README.md", "pairs.parquet"}
    assert hub.files["pairs.parquet"] == out.read_bytes()
    card = hub.files["README.md"].decode()
    assert "| vetoed | 1 |" in card
    assert "| wrong_gold | 1 |" in card
    assert "6 pairs" in card
    assert "No licence is stated here" in card
    assert str(tmp_path) not in card
    for name in COLUMNS:
        assert f"| `{name}` |" in card
    assert f"pushed to {hub.address}/datasets/me/mine" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.dataset"))
    repository = tmp_path / "repository"
    repository.mkdir()
    for name, content in hub.files.items():
        (repository / name).write_bytes(content)
    assert len(datasets.load_dataset(str(repository), split="train")) == 6
    export(dashboard, tmp_path / "again.jsonl", "--push", "me/mine")
    assert set(hub.files) == {"README.md", "pairs.jsonl"}, "one export at a time"
    (repository / "pairs.jsonl").write_bytes(hub.files["pairs.jsonl"])
    (repository / "README.md").write_bytes(hub.files["README.md"])
    assert len(datasets.load_dataset(str(repository), split="train")) == 5


def test_what_the_hub_refuses_leaves_a_folder_to_push(
    hub: Hub, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.status, out = 403, tmp_path / "mine.jsonl"
    wish = ("export", "pairs", run.name, "--out", str(out), "--push", "me/mine")
    message = fails(capsys, *wish)
    folder = tmp_path / "mine.jsonl.dataset"
    assert f"`hf upload me/mine {folder} . --repo-type dataset` pushes it later" in message
    assert {path.name for path in folder.iterdir()} == {"README.md", "pairs.jsonl"}
    assert out.exists()


def test_the_command_loads_no_model_library() -> None:
    code = (
        "import sys, codelutra.cli, codelutra.pair_export, codelutra.pair_card, "
        "codelutra.pair_rows, codelutra.pair_reading;"
        "heavy = {'torch', 'transformers', 'datasets', 'pyarrow', 'huggingface_hub'};"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    command = [sys.executable, "-c", "import json;" + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
