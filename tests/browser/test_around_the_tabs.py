"""What stands around the tabs, in a browser."""

import signal
import sys

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.config import UNSAFE

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()


def test_a_page_without_a_sandbox_says_so_above_every_tab(stopped_app, page):
    pytest.importorskip("pyseccomp", reason="libseccomp is not installed", exc_type=Exception)
    machine = (sys.executable, "-m", "tests.sandbox.without_seccomp")
    stopped_app.start(UNSAFE, within=machine)
    page.goto(stopped_app.url)
    banner = page.get_by_role("alert").filter(has_text="Programs run without a sandbox here")
    expect(banner).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="Trends").click()
    expect(page.locator("#trend-head")).to_contain_text("No run yet", timeout=SOON)
    expect(banner).to_be_visible()


def test_a_page_whose_server_is_silent_says_so_until_it_answers(shared_app, page):
    page.goto(shared_app.url)
    expect(page.locator("#worker-state")).to_contain_text("worker running", timeout=SOON)
    note = page.locator("#no-answer")
    shared_app.process.send_signal(signal.SIGSTOP)
    try:
        expect(note).to_contain_text("what you see is as it was then", timeout=SOON)
    finally:
        shared_app.process.send_signal(signal.SIGCONT)
    expect(note).to_have_count(0, timeout=SOON)
