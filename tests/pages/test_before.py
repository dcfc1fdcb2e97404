"""Before you start: what is told of a run that is filled in, and what is refused."""

import json
from pathlib import Path

import pytest

from codelutra.errors import CodeLutraError
from codelutra.tasks.quarantine import quarantine
from pages import before, form
from pages.run_panel import panel
from pages.run_view import load_view
from storage import checks, db, queries, recording

START = {"tasks": "starter", "model": "starter", "iterations": 2}


@pytest.fixture(autouse=True)
def forget() -> None:
    for kept in (before._facts, before._shape, before._machine, before._folders):
        kept.cache_clear()


@pytest.fixture
def huge(tmp_path: Path) -> str:
    shape = {
        "hidden_size": 8192,
        "num_hidden_layers": 8000,
        "num_attention_heads": 64,
        "vocab_size": 1000,
    }
    (tmp_path / "config.json").write_text(json.dumps(shape))
    return str(tmp_path)


def test_needs_time_and_amounts_are_told(store):
    shown = before.before(START)
    assert "<dt>Memory</dt>" in shown or "<dt>GPU memory</dt>" in shown
    assert '<b class="fit-good">fits</b>' in shown
    assert "unknown until Try one task or a first iteration has run" in shown
    assert "320 training, 80 validation, 400 held-out" in shown
    assert "6,400 sampled and executed" in shown
    assert "3,848,448 parameters" in shown


def test_the_model_and_the_golds_are_looked_at(store):
    shown = before.before(START)
    assert "3.8 M parameters, on this machine" in shown
    assert "not checked yet: Check golds on the Tasks tab" in shown
    found = [{"task_id": "a", "problem": "failing", "reason": ""},
             {"task_id": "b", "problem": "slow", "reason": ""}]  # fmt: skip
    check_id = checks.submit(tasks="starter", total=800)
    with db.open_session() as session:
        checks.finish(session, check_id=check_id, findings=found)
    assert "1 of 800 fail or are not repeatable: quarantine them" in before.before(START)
    quarantine("starter", {"a": "failing"})
    assert "800 checked, none is left that fails" in before.before(START)


def test_what_does_not_fit_is_said_and_not_queued(store, huge):
    shown = before.before(START | {"model": huge})
    assert 'class="note bad" role="alert"' in shown
    assert "are missing" in shown
    with pytest.raises(CodeLutraError, match="are missing"):
        form.queue_runs(START | {"model": huge})
    with db.open_session() as session:
        assert queries.count_runs(session) == 0


def test_a_model_that_is_nowhere_is_unknown(store):
    shown = before.before(START | {"model": "/nowhere/model"})
    assert "unknown: model folder /nowhere/model does not exist" in shown
    assert "320 training" in shown


def test_advice_is_in_the_words_of_the_form():
    line = "training needs more; try training.load_in_4bit=True, sampling.batch_size=10"
    assert (
        form.in_labels(line) == "training needs more; try Base in 4 bits: on, Programs at once: 10"
    )


def test_a_form_that_is_wrong_says_where(store):
    assert "Beta: must be greater than 0" in before.before(START | {"training.beta": 0})
    assert "no task set" in before.before(START | {"tasks": "nothing"})


def test_a_smoke_test_is_queued_under_its_name_and_told_by_phase(store):
    (run_id,) = form.queue_runs(START, smoke=True)
    with db.open_session() as session:
        run = queries.get_run(session, run_id=run_id)
        assert run is not None
        assert (run.name, run.num_train, run.num_heldout) == ("starter: smoke test", 1, 1)
        assert run.config["smoke"] is True
        where = recording.ensure_iteration(session, run_id=run_id, number=1)
        for phase, seconds in (("sample", 1.5), ("evaluate", 0.5)):
            recording.add_seconds(session, iteration_id=where, phase=phase, seconds=seconds)
    with db.open_session() as session:
        view = load_view(session, run_id=run_id)
    assert view is not None
    from pages.run_panel import _tried

    assert "<li>sample: 1.5 s</li><li>train: no pair" in _tried(view)
    assert "held-out pass@1" not in panel(view)
