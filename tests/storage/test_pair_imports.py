"""Imported pairs in the database, and on to the data that the trainer reads."""

from pathlib import Path
from typing import Any

import pytest

from codelutra import phases
from codelutra.adapters import json_sha256
from codelutra.cli import main
from codelutra.config import RefineConfig
from codelutra.import_rows import ImportResult, import_into
from codelutra.loop import refine
from codelutra.records import Adapter, Sample, Verdict, VerdictKind
from codelutra.run_rows import RunRows
from codelutra.tasks import load_tasks, select_tasks
from codelutra.training import phase as training_phase
from storage import db, jobs, pair_imports, queries, reviews
from storage.db import StorageError
from storage.pair_models import PairImport
from storage.pair_models import PreferencePair as Row
from storage.run_status import RunStatus
from tests.fake_hub import REPO, SHA, Hub, hub
from tests.lab import Lab, database, lab, wait_for
from tests.pair_files import PROMPT, good, write_rows, write_set
from tests.test_cli import fails

__all__ = ["database", "hub", "lab"]

FREE = {"prompt": "Say it.", "chosen": "it", "rejected": "that"}


def new_run(home: Path, tmp_path: Path, model: str = "starter", **settings: Any) -> RunRows:
    tasks = write_set(tmp_path / "set.jsonl")
    small = {"iterations": 2, "tasks": str(tasks), "validation_share": 0,
             "sampling": {"num_samples": 2, "max_new_tokens": 8, "extra_samples": 0},
             "evaluation": {"max_new_tokens": 8}}  # fmt: skip
    config = RefineConfig.for_model(model, **{**small, **settings})
    jobs.prepare(home)
    with db.open_session() as session:
        run = jobs.submit(
            session, config=config.model_dump(mode="json"), name="r", num_train=6, num_heldout=1
        )
    assert run.id
    return RunRows(run.id, run.workflow_id)


def give(run: RunRows, tmp_path: Path, *rows: Any, skip_bad: bool = False) -> ImportResult:
    path = write_rows(tmp_path / "given.jsonl", *rows)
    return import_into(run.run_id, path, skip_bad=skip_bad)


def stored(run: RunRows, number: int = 1) -> list[Row]:
    with db.open_session() as session:
        iteration = queries.get_iteration(session, run_id=run.run_id, number=number)
        if iteration is None:
            return []
        return list(queries.pairs(session, iteration_id=iteration.id or 0))


def test_pairs_join_the_iteration_that_trains_next(database: Path, tmp_path: Path) -> None:
    run = new_run(database, tmp_path)
    first = give(run, tmp_path, good(0), FREE)
    assert (first.iteration, first.num_added, first.num_executed) == (1, 2, 1)
    known, free = stored(run)
    assert (known.source, known.rejected_verdict, known.prompt) == (
        "imported",
        "wrong_result",
        None,
    )
    assert (free.source, free.rejected_verdict, free.prompt) == ("imported", "", "Say it.")
    assert (free.chosen_index, free.rejected_index, free.state) == (None, None, "pending")
    run.training_pairs(1)
    second = give(run, tmp_path, good(0), good(1))
    assert (second.iteration, second.num_added, second.num_duplicates) == (2, 1, 1)
    run.add_adapter(2, Adapter("path", "sha", "base", "main", "previous"))
    with pytest.raises(StorageError, match=f"the last iteration of run {run.run_id}, 2, has begun"):
        give(run, tmp_path, good(2))
    assert [len(stored(run, number)) for number in (1, 2, 3)] == [2, 1, 0]


def test_nothing_is_stored_when_a_row_is_bad_unless_it_is_to_be_left_out(
    database: Path, tmp_path: Path
) -> None:
    run = new_run(database, tmp_path)
    rows = (good(0), good(1, chosen="result = 0"), "{")
    result = give(run, tmp_path, *rows)
    assert (result.is_stored, result.num_added, result.num_refused) == (False, 0, 1)
    assert stored(run) == []
    result = give(run, tmp_path, *rows, skip_bad=True)
    assert (result.is_stored, result.num_added, result.num_refused) == (True, 1, 2)
    assert {one.line for one in result.problems} == {2, 3}
    assert len(stored(run)) == 1


def test_pairs_that_came_first_train_with_the_sampled_ones(database: Path, tmp_path: Path) -> None:
    """Two imported pairs of a task whose gold-chosen pairs come later: none displaces another."""
    run = new_run(database, tmp_path)
    give(run, tmp_path, good(0), good(0, rejected="result = -2"), FREE)
    assert run.pairs(1) is None, "pairing is still to come"
    tasks = select_tasks(load_tasks(run.config.tasks), run.config)
    wrong = Verdict(VerdictKind.WRONG_RESULT)
    drawn = [Sample(f"train-{n}", i, f"result = {-5 - i}") for n in range(2) for i in range(2)]
    run.add_samples(1, "train", drawn)
    run.add_verdicts(1, "train", {sample.key: wrong for sample in drawn})
    phases.pair(run, tasks, 1)
    phases.pair(run, tasks, 1)  # again, as after a crash
    pairs = run.training_pairs(1)
    assert [pair.prompt for pair in pairs[:3]] == ["", "", "Say it."]
    assert sorted(pair.rejected_index for pair in pairs[3:] if pair.rejected_index is not None) == [
        0, 0, 1, 1,
    ]  # fmt: skip
    facts = run.review_facts(1)
    assert facts
    assert (facts.num_pairs, facts.num_added) == (7, 3)


def test_an_imported_pair_reaches_the_data_that_the_trainer_reads(
    database: Path, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(database, tmp_path, tiny_model, iterations=1)
    give(run, tmp_path, good(0), FREE)
    jobs_seen: list[dict[str, Any]] = []
    run_phase = training_phase.run_phase

    def watched(name: str, job: dict[str, Any], **how: Any) -> Any:
        jobs_seen.append(job)
        return run_phase(name, job, **how)

    monkeypatch.setattr(training_phase, "run_phase", watched)
    tasks = select_tasks(load_tasks(run.config.tasks), run.config)
    refine(run, tasks)
    (job,) = jobs_seen
    read = {(row["prompt"], row["chosen"], row["rejected"]) for row in job["pairs"]}
    assert (PROMPT.format(0), "result = 0 + 0", "result = -1") in read
    assert ("Say it.", "it", "that") in read
    assert len(read) > 2, "the sampled ones are there, too"
    adapter = run.adapter(1)
    assert adapter
    assert adapter.data_sha256 == json_sha256(job["pairs"])
    facts = run.training_facts(1)
    assert facts
    assert facts.num_pairs + facts.num_dropped == len(job["pairs"])
    assert facts.num_dropped == 0


def test_a_vetoed_import_does_not_train_and_does_not_come_again(
    database: Path, tmp_path: Path
) -> None:
    run = new_run(database, tmp_path)
    give(run, tmp_path, good(0), good(1))
    pair_id = stored(run)[0].id
    assert pair_id
    with db.open_session() as session:
        decision = reviews.Decision("veto", "ann", "other")
        reviews.decide(session, pair_id=pair_id, version=0, decision=decision)
    again = give(run, tmp_path, good(0), good(0, rejected="result = -3"), skip_bad=True)
    assert (again.num_added, again.num_duplicates, again.num_refused) == (0, 1, 1)
    assert [pair.task_id for pair in run.training_pairs(1)] == ["train-1"]


def test_the_command_line_says_what_became_of_the_file(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(database, tmp_path)
    path = write_rows(tmp_path / "given.jsonl", good(0), *["{"] * 30)
    wish = ["import", "pairs", str(path), "--run", str(run.run_id)]
    assert main(wish) == 2
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert errors[0].startswith(f"error: {path}, line 2: not JSON (")
    assert (len(errors), errors[-1]) == (21, "error: and 10 more")
    assert "nothing was stored: 30 rows are bad (--skip-bad leaves them out)" in said.out
    assert main([*wish, "--skip-bad"]) == 0
    assert "1 pairs joined iteration 1 (1 executed), 0 skipped" in capsys.readouterr().out
    assert "no run 77" in fails(capsys, "import", "pairs", str(path), "--run", "77")
    assert "there is no file" in fails(capsys, "import", "pairs", "gone.jsonl", "--run", "1")


def test_pairs_of_a_dataset_on_the_hub_join_a_run(
    hub: Hub, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(database, tmp_path)
    path = write_rows(tmp_path / "given.jsonl", good(0))
    hub.files = {"README.md": b"# Pairs", "pairs.jsonl": path.read_bytes()}
    assert main(["import", "pairs", f"hub:{REPO}", "--run", str(run.run_id)]) == 0
    said = capsys.readouterr().out
    assert f"hub:{REPO}@{SHA}/pairs.jsonl" in said
    assert "1 pairs joined iteration 1" in said


def submit(run: RunRows, path: Path, *, skip_bad: bool = False) -> int:
    with db.open_session() as session:
        wish = PairImport(run_id=run.run_id, name="mine.jsonl", path=str(path), skip_bad=skip_bad)
        return pair_imports.submit(session, wish)


def get(import_id: int) -> PairImport:
    with db.open_session() as session:
        found = pair_imports.get(session, import_id=import_id)
    assert found
    return found


def test_the_worker_carries_an_import_out_beside_a_run(lab: Lab, tmp_path: Path) -> None:
    busy = lab.submit(max_train=400, iterations=3, sampling={"num_samples": 4})
    run = new_run(lab.home, tmp_path)
    path = write_rows(tmp_path / "kept.jsonl", good(0), good(1, chosen="result = 0"), FREE)
    import_id = submit(run, path, skip_bad=True)
    assert pair_imports.status(get(import_id)) is RunStatus.QUEUED
    lab.started_worker()
    wait_for(lambda: get(import_id).finished_at)
    found = get(import_id)
    assert pair_imports.status(found) is RunStatus.COMPLETED
    assert found.result
    assert (found.result["num_added"], found.result["num_refused"]) == (2, 1)
    assert found.result["problems"][0]["line"] == 2
    assert (found.done, found.total) == (3, 3)
    wait_for(lambda: not path.exists())  # what has been read is not kept
    assert len([row for row in stored(run) if row.source == "imported"]) == 2
    assert jobs.status(busy) is RunStatus.RUNNING


def test_an_import_that_cannot_be_done_says_why(lab: Lab, tmp_path: Path) -> None:
    run = new_run(lab.home, tmp_path)
    import_id = submit(run, tmp_path / "gone.jsonl")
    lab.started_worker()
    wait_for(lambda: pair_imports.status(get(import_id)) is RunStatus.FAILED)
    assert pair_imports.error(get(import_id)) == (
        "the upload of mine.jsonl is gone: give the file once more"
    )


def test_a_finished_run_takes_no_pairs(lab: Lab, tmp_path: Path) -> None:
    run_id = lab.submit(max_train=1, iterations=1, sampling={"num_samples": 2})
    lab.started_worker()
    lab.wait_for(run_id, RunStatus.COMPLETED)
    path = write_rows(tmp_path / "given.jsonl", good(0))
    with pytest.raises(StorageError, match="is completed: no iteration of it will train"):
        import_into(run_id, path, skip_bad=False)
