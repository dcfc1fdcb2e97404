"""What was decided on the Pairs tab is what the training reads, in a real Chromium."""

import time
from dataclasses import asdict, replace

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.adapters import json_sha256
from codelutra.config import RefineConfig
from codelutra.run_rows import read_run
from codelutra.tasks import load_tasks, select_tasks
from storage import db, jobs
from tests.browser.test_pairs_journey import decide, get, open_pairs, page

__all__ = ["page"]

pytestmark = pytest.mark.browser


@pytest.fixture
def paused_run(module_app, monkeypatch):
    """A real run of the starter whose pairs wait for review."""
    monkeypatch.setenv("CODELUTRA_HOME", str(module_app.home))
    jobs.prepare(module_app.home)
    config = RefineConfig.for_model(
        "starter", iterations=1, max_train=8, max_heldout=2, validation_share=0,
        pause_before_training=True, sampling={"num_samples": 6}, training={"epochs": 1},
    )  # fmt: skip
    tasks = select_tasks(load_tasks("starter"), config)
    with db.open_session() as session:
        run = jobs.submit(
            session, config=config.model_dump(mode="json"), name="starter", num_train=8,
            num_heldout=2,
        )  # fmt: skip
        run_id = run.id
    wait_for(run_id, "paused")
    return run_id, {task.task_id: task.prompt for task in tasks}


def wait_for(run_id, status):
    deadline = time.monotonic() + 180
    while jobs.status(run_id) != status:
        assert time.monotonic() < deadline, (jobs.status(run_id), jobs.error(run_id))
        time.sleep(0.3)


def test_the_training_reads_no_vetoed_pair_and_a_flipped_one_turned(module_app, page, paused_run):
    run_id, prompts = paused_run
    open_pairs(page, module_app, run_id)
    vetoed = get(decide(page, "v", "4"))
    flipped = get(decide(page, "f"))
    with read_run(run_id) as ledger:
        before = ledger.pairs(1)
    page.locator("[data-waiting] [data-do=resume]").click()
    expect(page.locator("#pair-said")).to_contain_text("The training begins")
    wait_for(run_id, "completed")
    rows = []
    for pair in before:
        mine = (pair.task_id, pair.chosen_index, pair.rejected_index)
        if mine == (vetoed.task_id, vetoed.chosen_index, vetoed.rejected_index):
            continue
        if mine == (flipped.task_id, flipped.chosen_index, flipped.rejected_index):
            turned = {"chosen": pair.rejected, "rejected": pair.chosen}
            pair = replace(pair, **turned, chosen_index=mine[2], rejected_index=mine[1])
        rows.append({**asdict(pair), "prompt": prompts[pair.task_id]})
    assert len(rows) == len(before) - 1
    with read_run(run_id) as ledger:
        trained = ledger.adapter(1)
    assert trained.data_sha256 == json_sha256(rows)  # of what the trainer's process was given
