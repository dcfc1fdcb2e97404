"""Pairs are downloaded and others are imported on the Pairs tab, in a real Chromium."""

import json

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.config import RefineConfig
from storage import db, jobs, queries, recording
from tests.pair_files import good, read_rows, write_rows, write_set
from tests.storage.rows import iteration

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.set_default_timeout(SOON)
    expect.set_options(timeout=SOON)
    yield page
    page.close()


@pytest.fixture
def run_id(home, tmp_path):
    """A cancelled run with one pair, so that nobody works on it."""
    jobs.prepare(home)
    tasks = str(write_set(tmp_path / "set.jsonl"))
    config = RefineConfig.for_model("starter", tasks=tasks, validation_share=0)
    with db.open_session() as session:
        run = jobs.submit(
            session, config=config.model_dump(mode="json"), name="mine", num_train=6, num_heldout=1
        )
        row = {"task_id": "train-5", "chosen": "result = 10", "rejected": "result = 1",
               "chosen_index": 0, "rejected_index": 1}  # fmt: skip
        where = iteration(session, run.id, 1)
        recording.add_pairs(session, iteration_id=where, rows=[row])
    jobs.cancel(run.id)
    return run.id


def test_a_file_is_imported_and_comes_out_again(running_app, page, run_id, tmp_path):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{running_app.url}?tab=pairs&run={run_id}")
    expect(page.locator("[data-progress]")).to_contain_text("1 undecided")
    page.locator("#pair-files > button").click()
    upload, message = page.locator("#pair-upload"), page.locator("#pair-import-message")
    markup = "<img src=x onerror='window.broken = 1'>"
    bad = good(1, chosen=f"raise ValueError({json.dumps(markup)})")
    path = write_rows(tmp_path / "theirs.jsonl", good(0), bad)

    upload.locator("input[type=file]").set_input_files(path)
    expect(upload).to_contain_text("theirs")
    page.locator("#pair-give").click()
    expect(message).to_contain_text("nothing was stored, 1 rows are bad")
    expect(message).to_contain_text("line 2: `chosen` is runtime error")
    expect(message).to_contain_text(markup)
    expect(page.locator("[data-progress]")).to_contain_text("1 undecided")

    upload.locator("input[type=file]").set_input_files(path)
    expect(upload).to_contain_text("theirs")
    page.locator("#pair-skip-bad input").check()
    page.locator("#pair-give").click()
    expect(message).to_contain_text("1 pairs joined iteration 1 (1 executed). 1 refused.")
    expect(page.locator("[data-progress]")).to_contain_text("2 undecided")

    page.locator("#pair-make").click()
    button = page.locator("#pair-download")
    expect(page.locator("#pair-made")).to_contain_text("2 pairs, ready to download")
    expect(button).to_contain_text(f"run-{run_id}-training.jsonl")
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == f"run-{run_id}-training.jsonl"
    rows = read_rows(download.value.path())
    assert [row["source"] for row in rows] == ["sampled", "imported"]
    assert rows[1]["rejected_verdict"] == "wrong_result"

    page.reload()  # what became of it is still there
    page.locator("#pair-files > button").click()
    expect(message).to_contain_text("1 pairs joined iteration 1")
    assert not errors
    assert page.evaluate("window.broken") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("#pair-files").screenshot(path=str(tmp_path / "pair-files.png"))
    with db.open_session() as session:
        where = queries.get_iteration(session, run_id=run_id, number=1)
        assert len(queries.pairs(session, iteration_id=where.id)) == 2
