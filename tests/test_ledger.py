"""Every ledger keeps the same promises: what is finished stays, and is never there twice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra.config import RefineConfig
from codelutra.ledger import Ledger
from codelutra.records import (
    Adapter,
    Alert,
    PreferencePair,
    Sample,
    Scores,
    TrainingFacts,
    Trust,
    Verdict,
    VerdictKind,
)
from codelutra.run_folder import RunFolder
from tests.lab import database

__all__ = ["database"]

Open = Callable[[], Ledger]
CORRECT = Verdict(VerdictKind.CORRECT, "3 rows", 0.25)


@pytest.fixture(params=["folder", "database"])
def reopen(request: pytest.FixtureRequest, database: Path) -> Open:
    """Opens the same run, as a restarted process would."""
    config = RefineConfig.for_model("starter", iterations=2)
    if request.param == "folder":
        return lambda: RunFolder(database / "run", config)

    from codelutra.run_rows import RunRows
    from storage import db, jobs

    jobs.prepare(database)
    with db.open_session() as session:
        run = jobs.submit(
            session,
            config=config.model_dump(mode="json"),
            name="run",
            num_train=1,
            num_heldout=1,
        )
    assert run.id is not None
    number, workflow_id = run.id, run.workflow_id
    return lambda: RunRows(number, workflow_id)


def test_a_new_run_is_empty(reopen: Open) -> None:
    ledger = reopen()
    assert ledger.config.iterations == 2
    assert ledger.folder.is_dir()
    assert ledger.samples(1, "train") == []
    assert ledger.pairs(1) is None
    assert ledger.adapter(1) is None
    assert ledger.scores(0) is None
    assert ledger.seconds(0) == {}
    assert not ledger.stop_requested()


def test_samples_are_kept_once_in_order_and_apart_by_iteration_and_split(reopen: Open) -> None:
    samples = [Sample("b", 0, "é\nx"), Sample("a", 1, ""), Sample("a", 0, "y")]
    reopen().add_samples(1, "train", samples[:2])
    reopen().add_samples(1, "train", samples)
    reopen().add_samples(1, "train", [Sample("b", 0, "another")])
    assert reopen().samples(1, "train") == samples
    assert reopen().samples(1, "heldout") == reopen().samples(2, "train") == []


def test_more_rows_than_one_write_takes(reopen: Open) -> None:
    samples = [Sample(f"task-{number}", 0, "x") for number in range(2500)]
    reopen().add_samples(1, "train", samples)
    reopen().add_verdicts(1, "train", {sample.key: CORRECT for sample in samples})
    stored = reopen().samples(1, "train")
    assert len(stored) == 2500
    assert all(sample.verdict == CORRECT for sample in stored)


def test_the_first_verdict_stays(reopen: Open) -> None:
    ledger = reopen()
    ledger.add_samples(1, "train", [Sample("a", 0, "x"), Sample("a", 1, "y")])
    ledger.add_verdicts(1, "train", {("a", 0): CORRECT})
    ledger.add_verdicts(1, "train", {("a", 0): Verdict(VerdictKind.TIMEOUT)})
    ledger.add_verdicts(1, "train", {})
    assert [sample.verdict for sample in reopen().samples(1, "train")] == [CORRECT, None]


def test_a_flaky_verdict_is_kept_with_what_was_printed_and_how_its_program_was_found(
    reopen: Open,
) -> None:
    flaky = Verdict(
        VerdictKind.CORRECT,
        "alone",
        0.5,
        flaky=True,
        output="so far\n",
        extraction="thought fenced",
    )
    ledger = reopen()
    ledger.add_samples(1, "train", [Sample("a", 0, "x"), Sample("a", 1, "y")])
    ledger.add_verdicts(1, "train", {("a", 0): flaky, ("a", 1): CORRECT})
    assert [sample.verdict for sample in reopen().samples(1, "train")] == [flaky, CORRECT]


def test_verdicts_written_before_flaky_and_extraction_existed_have_neither(tmp_path: Path) -> None:
    config = RefineConfig.for_model("starter")
    RunFolder(tmp_path, config).add_samples(1, "train", [Sample("a", 0, "x")])
    row = {"task_id": "a", "index": 0, "kind": "correct", "detail": "3 rows", "seconds": 0.25}
    (tmp_path / "verdicts-train-1.jsonl").write_text(json.dumps(row) + "\n")
    assert RunFolder(tmp_path, config).samples(1, "train")[0].verdict == CORRECT


def test_a_run_that_was_once_unfenced_stays_so(reopen: Open) -> None:
    assert reopen().trust() == Trust()
    reopen().add_trust(Trust(is_unfenced=True, num_weak=3))
    reopen().add_trust(Trust(is_unfenced=False, num_weak=4))
    assert reopen().trust() == Trust(is_unfenced=True, num_weak=4)


def test_a_finished_pairing_stays_and_may_be_empty(reopen: Open) -> None:
    pairs = [PreferencePair("a", "gold", "x", None, 1), PreferencePair("a", "y", "x", 0, 1)]
    reopen().add_pairs(1, pairs)
    reopen().add_pairs(1, [PreferencePair("b", "later", "x", 0, 1)])
    reopen().add_pairs(2, [])
    reopen().add_pairs(2, pairs)
    assert reopen().pairs(1) == pairs
    assert reopen().pairs(2) == []


def test_the_first_adapter_and_the_first_scores_stay(reopen: Open) -> None:
    adapter = Adapter("/a", "sha", "starter", "main", "previous", "parent")
    scores = Scores(0.5, (0.25, 0.75), 4, 0.125, {"correct": 2, "timeout": 2})
    reopen().add_adapter(1, adapter)
    reopen().add_adapter(1, Adapter("/b", "other", "starter", "main", "previous"))
    reopen().add_scores(0, scores)
    reopen().add_scores(0, Scores(0.0, (0.0, 0.5), 4, 0.0))
    assert reopen().adapter(1) == adapter
    assert reopen().scores(0) == scores
    assert reopen().scores(1) is None


def test_validation_scores_are_kept_apart_from_held_out_ones(reopen: Open) -> None:
    validation = Scores(0.5, (0.25, 0.75), 4, 0.125, {"correct": 2, "timeout": 2})
    reopen().add_scores(1, validation, "validation")
    reopen().add_scores(1, Scores(0.0, (0.0, 0.5), 4, 0.0), "validation")
    assert reopen().scores(1) is None
    assert reopen().scores(1, "validation") == validation
    held = Scores(0.25, (0.0, 0.5), 8, 0.0, {"correct": 2})
    reopen().add_scores(1, held)
    assert (reopen().scores(1), reopen().scores(1, "validation")) == (held, validation)


def test_what_became_of_the_pairs_stays(reopen: Open) -> None:
    assert reopen().training_facts(1) is None
    facts = TrainingFacts(90, 10, 4000, 1000, "a sliding window")
    reopen().add_training_facts(1, facts)
    reopen().add_training_facts(1, TrainingFacts(0, 0, 0, 0))
    assert reopen().training_facts(1) == facts
    assert reopen().training_facts(2) is None


def test_the_first_alert_of_a_kind_stays(reopen: Open) -> None:
    first = Alert("chosen_falling", "fell by 6 nats", "a smaller learning rate", 41)
    reopen().add_alert(1, first)
    reopen().add_alert(1, Alert("chosen_falling", "fell by 9 nats", "again", 77))
    reopen().add_alert(1, Alert("few_pairs", "only 3", "more samples"))
    assert {alert.kind: alert for alert in reopen().alerts(1)} == {
        "chosen_falling": first,
        "few_pairs": Alert("few_pairs", "only 3", "more samples"),
    }
    assert reopen().alerts(2) == []


def test_a_step_that_a_resumed_training_repeats_is_kept_once(reopen: Open) -> None:
    reopen().add_training_metrics(1, 1, {"loss": 0.5})
    ledger = reopen()
    ledger.add_training_metrics(1, 1, {"loss": 0.25})
    ledger.add_training_metrics(1, 2, {"loss": 0.125})
    assert training_losses(ledger) == [0.5, 0.125]


def training_losses(ledger: Ledger) -> list[float]:
    if isinstance(ledger, RunFolder):
        return [metrics["loss"] for metrics in ledger.training_metrics(1)]
    from storage import db, queries

    with db.open_session() as session:
        iteration = queries.get_iteration(session, run_id=ledger.run_id, number=1)  # type: ignore[attr-defined]
        steps = queries.training_steps(session, iteration_id=iteration.id)
        return [step.metrics["loss"] for step in steps]


def test_seconds_add_up_over_restarts(reopen: Open) -> None:
    reopen().add_seconds(1, "sample", 1.5)
    reopen().add_seconds(1, "sample", 0.25)
    reopen().add_seconds(1, "train", 2.0)
    reopen().add_seconds(1, "sample", 0.0, 30)
    reopen().add_seconds(1, "sample", 0.0, 12)
    assert reopen().seconds(1) == {"sample": 1.75, "train": 2.0}
    assert reopen().tokens(1) == {"sample": 42}


def test_reports_metrics_and_log_lines_may_be_repeated(reopen: Open) -> None:
    for _ in range(2):
        ledger = reopen()
        ledger.report(1, "train", 0, 0)
        ledger.report(1, "train", 1, 2)
        ledger.add_training_metrics(1, 1, {"loss": 0.5})
        ledger.log("a line")
    assert "a line" in (ledger.folder / "run.log").read_text()
