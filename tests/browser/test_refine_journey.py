"""What a newcomer does: press Start, close the tab, come back, see that it got better.

The real starter, the real worker, a real Chromium; one iteration on a reduced set.
"""

import os
import re
import signal
import time

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds: the page's answer to a click
RUN_S = int(os.environ.get("BROWSER_RUN_S", "900"))  # a reduced run, two busy cores included


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()


def chip(page: Page):
    return page.locator("#run-panel .chip")


def fill_reduced(page: Page, tasks: str = "20") -> None:
    """One iteration on 20 training and 20 held-out tasks."""
    expect(page.locator("#worker-state footer")).to_be_visible(timeout=SOON)
    page.locator("#iterations input[type=number]").fill("1")
    page.locator("#iterations input[type=number]").press("Tab")
    page.get_by_role("button", name="Advanced").click()
    for name in ("max_train", "max_heldout"):
        fill_until_kept(page, f"#set-{name} input", tasks)


def fill_until_kept(page: Page, selector: str, value: str) -> None:
    """Gradio mounts an accordion's fields when it opens, and writes their first values a moment
    after they can be typed into: no person is that quick, Playwright is."""
    field = page.locator(selector)
    deadline = time.monotonic() + SOON / 1000
    while True:
        field.fill(value)
        field.press("Tab")
        page.wait_for_timeout(300)
        if field.input_value() == value:
            return
        assert time.monotonic() < deadline, f"{selector} does not keep {value}"


def start(page: Page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#form-message")).to_contain_text("Run 1 is queued", timeout=SOON)


def wait_until_completed(page: Page) -> None:
    expect(chip(page)).to_have_text("completed", timeout=RUN_S * 1000)


def test_start_close_the_tab_and_come_back_to_the_trend(browser, running_app, page):
    page.goto(running_app.url)
    expect(page.locator("#run-panel")).to_contain_text("Nothing has run yet", timeout=SOON)
    fill_reduced(page)
    start(page)
    expect(chip(page)).to_have_text(re.compile("queued|running"), timeout=SOON)
    expect(page).to_have_url(re.compile("run=1"))
    page.close()

    back = browser.new_page()
    back.goto(running_app.url)
    expect(back.locator("#run-panel section")).to_have_attribute("data-run", "1", timeout=SOON)
    expect(back.locator("#run-log")).to_contain_text("at work", timeout=SOON)
    wait_until_completed(back)
    expect(back.locator("#run-panel")).to_contain_text("Change from base")
    back.get_by_role("tab", name="Trends").click()
    expect(back.locator("#trend-head section")).to_have_attribute("data-points", "2", timeout=SOON)
    expect(back.locator("[data-curve=accuracy] .textpoint")).to_have_count(2, timeout=SOON)
    expect(back.locator("#trend-table tbody tr")).to_have_count(2)
    expect(back).to_have_url(re.compile("tab=trends"))
    for _ in range(3):  # what is read and what is written of the address must not race
        back.reload()
        expect(back.locator("#trend-head")).to_contain_text("After iteration 1", timeout=SOON)
        expect(back.locator("[data-curve=accuracy] .textpoint")).to_have_count(2, timeout=SOON)
        expect(back).to_have_url(re.compile("tab=trends"))
    back.close()


def test_pause_resume_and_a_killed_worker(running_app, page):
    page.goto(running_app.url)
    fill_reduced(page, "40")  # long enough to be met at work twice
    start(page)
    expect(chip(page)).to_have_text("running", timeout=SOON)
    page.get_by_role("button", name="Pause", exact=True).click()
    # Libraries that a phase is just loading are loaded first: a minute, on cores that are shared.
    expect(chip(page)).to_have_text("paused", timeout=3 * SOON)
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Resume").click()
    expect(chip(page)).to_have_text("running", timeout=SOON)

    killed = running_app.worker_pid()
    assert killed
    os.kill(killed, signal.SIGKILL)
    expect(page.locator("#run-panel")).to_contain_text("Interrupted, resuming", timeout=SOON)
    expect(chip(page)).to_have_text("interrupted")
    deadline = time.monotonic() + SOON / 1000
    while running_app.worker_pid() in (None, killed):
        assert time.monotonic() < deadline, "the worker did not come back"
        time.sleep(0.2)
    footer = page.locator("#worker-state")
    expect(footer).to_contain_text(f"pid {running_app.worker_pid()}", timeout=SOON)
    expect(chip(page)).to_have_text(re.compile("queued|running"), timeout=SOON)
    wait_until_completed(page)


@pytest.mark.skipif(
    "CODELUTRA_FULL" not in os.environ, reason="minutes: test_kills.py kills the web process, too"
)
def test_a_killed_page_changes_nothing_in_its_run(browser, running_app, page):
    page.goto(running_app.url)
    fill_reduced(page)
    start(page)
    expect(chip(page)).to_have_text("running", timeout=SOON)
    page.close()
    worker = running_app.worker_pid()
    running_app.kill()
    assert worker
    assert running_app.worker_pid() == worker
    running_app.start()

    back = browser.new_page()
    back.goto(running_app.url)
    expect(back.locator("#run-panel section")).to_have_attribute("data-run", "1", timeout=SOON)
    wait_until_completed(back)
    log = back.locator("#run-log")
    expect(log).to_contain_text(f"worker {worker} at work")
    assert log.inner_text().count("at work") == 1  # one attempt, by the worker that was there
    back.close()


def test_a_bad_model_is_said_on_the_page_and_the_form_is_kept(shared_app, page):
    page.goto(shared_app.url)
    fill_reduced(page)
    page.locator("#model input").fill("/nowhere/model")
    page.locator("#model input").press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()
    message = page.get_by_role("alert").filter(has_text="does not exist")
    expect(message).to_contain_text("Nothing was started", timeout=SOON)
    expect(page.locator("#set-max_train input")).to_have_value("20")
    expect(page.locator("#model input")).to_have_value("/nowhere/model")
    expect(page.locator("#run-panel")).to_contain_text("Nothing has run yet")
