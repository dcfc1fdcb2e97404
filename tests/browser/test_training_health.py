"""Trends while a run trains: curves that grow and keep a zoom, alerts, the promoted iteration.

The rows are written by the test: no model is trained.
"""

import math

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, expect

from codelutra.config import RefineConfig
from storage import db, jobs, recording

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds
HOSTILE = "<img src=x onerror=document.body.dataset.hit=1>"


@pytest.fixture
def home(module_app, monkeypatch):
    """One for all tests of this file: each makes runs of its own."""
    monkeypatch.setenv("CODELUTRA_HOME", str(module_app.home))
    return module_app.home


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()


def add_run(home) -> int:
    """Two iterations, the first of them better on validation; cancelled, so that nobody runs it."""
    jobs.prepare(home)
    config = RefineConfig.for_model("starter", iterations=2).model_dump(mode="json")
    with db.open_session() as session:
        run = jobs.submit(
            session, config=config, name="health", num_train=9, num_validation=20, num_heldout=20
        )
        assert run.id
        for number, accuracy in enumerate((0.2, 0.7, 0.4)):
            where = recording.ensure_iteration(session, run_id=run.id, number=number)
            row = {"pass_at_1": accuracy, "ci95": [accuracy - 0.1, accuracy + 0.1],
                   "num_tasks": 20, "syntax_error": 0.0, "verdicts": {"correct": 20}}  # fmt: skip
            for split in ("heldout", "validation"):
                recording.add_scores(session, iteration_id=where, row=row, split=split)
        alert = {"kind": "diverged", "seen": HOSTILE, "advice": "a smaller rate", "step": 41}
        recording.add_alert(session, iteration_id=where, row=alert)
    jobs.cancel(run.id)
    return run.id


def add_steps(run_id: int, number: int, first: int, last: int) -> None:
    with db.open_session() as session:
        where = recording.ensure_iteration(session, run_id=run_id, number=number)
        for step in range(first, last + 1):
            loss = math.exp(-step / 50)
            metrics = {"loss/dpo": loss, "loss/sft": loss / 2, "rewards/margins": 1 - loss}
            recording.add_training_step(session, iteration_id=where, step=step, metrics=metrics)


def zoom_in(page: Page) -> None:
    """Drag over a part of the first curve."""
    place = page.locator("[data-curve=loss]")
    place.scroll_into_view_if_needed()
    box = place.locator(".nsewdrag").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 60, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, middle, steps=5)
    page.mouse.up()


def shown_range(page: Page) -> list[float]:
    return page.evaluate(
        "document.querySelector('[data-curve=loss] > div')._fullLayout.xaxis.range"
    )


def test_curves_grow_with_the_training_and_keep_the_zoom(module_app, page, home):
    run_id = add_run(home)
    add_steps(run_id, 1, 1, 60)
    add_steps(run_id, 2, 1, 30)
    page.goto(f"{module_app.url}?tab=trends&run={run_id}")
    curves = page.locator("#training-curves .curves")
    expect(curves).to_have_attribute("data-version", f"{run_id}-2-30", timeout=SOON)
    expect(page.locator("[data-curve=loss] .legendtext")).to_have_count(2)
    expect(page.locator("[data-curve=tokens]")).to_contain_text("not part of this training")
    assert shown_range(page)[1] == pytest.approx(30, abs=2)

    zoom_in(page)
    page.wait_for_function(
        "document.querySelector('[data-curve=loss] > div')._fullLayout.xaxis.range[1] < 25"
    )
    zoomed = shown_range(page)
    drawing = page.locator("[data-curve=loss] .main-svg").first.element_handle()
    add_steps(run_id, 2, 31, 50)
    expect(curves).to_have_attribute("data-version", f"{run_id}-2-50", timeout=SOON)
    assert shown_range(page) == zoomed
    assert drawing.evaluate("drawing => drawing.isConnected")  # the same one: no flicker

    page.locator("#training-picker input").click()
    page.get_by_role("option", name="iteration 1").click()
    expect(curves).to_have_attribute("data-version", f"{run_id}-1-60", timeout=SOON)
    expect(page.locator("#training-note")).to_contain_text("Iteration 1, step 60")
    add_steps(run_id, 2, 51, 52)
    page.wait_for_timeout(4000)  # more than a tick: what was picked stays
    expect(curves).to_have_attribute("data-version", f"{run_id}-1-60")


def test_alerts_and_the_promoted_iteration_are_on_both_tabs(module_app, page, home):
    run_id = add_run(home)
    for tab, where in (("trends", "#trend-head"), ("refine", "#run-panel")):
        page.goto(f"{module_app.url}?tab={tab}&run={run_id}")
        alert = page.locator(f"{where} [data-alert=diverged]")
        said = f"Iteration 2, step 41: {HOSTILE}. Try: a smaller rate."
        expect(alert).to_contain_text(said, timeout=SOON)
    expect(page.locator("#run-panel .rounds li").nth(1)).to_contain_text("promoted")
    page.get_by_role("tab", name="Trends").click()
    head = page.locator("#trend-head")
    expect(head).to_contain_text("Iteration 1 is promoted: best on the 20 validation tasks")
    expect(page.locator("#trend-table tr[data-promoted]")).to_contain_text("iteration 1")
    assert page.evaluate("document.body.dataset.hit") is None
