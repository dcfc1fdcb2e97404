"""Before the first run: what it needs is on the page, and one task can be tried.

The real starter, the real worker, a real Chromium.
"""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds
SMOKE_S = 300  # on two busy cores; 40 s on free ones


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()


def fill_model(page: Page, model: str) -> None:
    page.locator("#model input").fill(model)
    page.locator("#model input").press("Enter")


def test_needs_follow_the_form_and_what_cannot_fit_is_not_started(shared_app, page, tmp_path):
    page.goto(shared_app.url)
    needs = page.locator("#before")
    expect(needs).to_contain_text("12,800 sampled and executed", timeout=SOON)
    expect(needs.locator(".fit-good").first).to_have_text("fits")
    page.locator("#iterations input[type=number]").fill("1")
    page.locator("#iterations input[type=number]").press("Tab")
    expect(needs).to_contain_text("3,200 sampled and executed", timeout=SOON)

    huge = {
        "hidden_size": 8192,
        "num_hidden_layers": 8000,
        "num_attention_heads": 64,
        "vocab_size": 1000,
    }
    Path(tmp_path / "config.json").write_text(json.dumps(huge))
    fill_model(page, str(tmp_path))
    expect(needs.get_by_role("alert")).to_contain_text("are missing", timeout=SOON)
    page.get_by_role("button", name="Start", exact=True).click()
    message = page.locator("#form-message")
    expect(message).to_contain_text("are missing", timeout=SOON)
    expect(message).to_contain_text("Nothing was started")
    expect(page.locator("#run-panel")).to_contain_text("Nothing has run yet")

    fill_model(page, "no-such-owner/no-such-model")
    expect(needs).to_contain_text(re.compile("unknown: (no-such|unknown model)"), timeout=SOON)
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(wide), "the page scrolls sideways"


def test_one_task_is_tried_through_the_whole_loop_and_tells_the_time(running_app, page):
    page.goto(running_app.url)
    needs = page.locator("#before")
    expect(needs).to_contain_text("unknown until Try one task", timeout=SOON)
    page.get_by_role("button", name="Try one task").click()
    expect(page.locator("#form-message")).to_contain_text("is queued", timeout=SOON)
    expect(page.locator("#run-panel .chip")).to_have_text("completed", timeout=SMOKE_S * 1000)
    panel = page.locator("#run-panel")
    expect(panel).to_contain_text("The smoke test passed")
    for phase in ("sample", "execute", "pair", "train", "evaluate"):
        expect(panel.locator("li").filter(has_text=f"{phase}: ")).to_have_count(1)
    expect(needs).to_contain_text("extrapolated from the smoke test, run 1", timeout=SOON)
