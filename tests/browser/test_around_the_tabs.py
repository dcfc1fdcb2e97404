"""What stands around the tabs, in a browser."""

import os
import signal
import sys
import time

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from benchmarks.private_postgres import private_postgres, programs
from codelutra.config import UNSAFE

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds
DOWN_S = 2.0


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
        expect(note).to_contain_text("No answer from the dashboard", timeout=SOON)
    finally:
        shared_app.process.send_signal(signal.SIGCONT)
    expect(note).to_have_count(0, timeout=SOON)


def kinds_of_script(page, url):
    """Of those that a page is made of: what it begins with, and what every page of Gradio needs,
    and what one component does."""
    scripts = []
    page.on("response", lambda got: "/assets/" in got.url and scripts.append(got.url))
    page.goto(url)
    expect(page.locator("#worker-state")).to_contain_text("worker running", timeout=SOON)
    return scripts[0], scripts[5], next(url for url in scripts if "/HTML-" in url)


def test_a_page_that_was_fetched_in_part_is_loaded_again(shared_app, browser, page):
    """As when the network of its machine changes: Chromium drops what it is loading then."""
    for url in kinds_of_script(page, shared_app.url):
        fresh = browser.new_page()
        fresh.route(url, lambda route: route.abort(), times=1)
        with fresh.expect_event("requestfailed", lambda request, url=url: request.url == url):
            fresh.goto(shared_app.url)
        worker = fresh.locator("#worker-state")
        expect(worker).to_contain_text("worker running", timeout=SOON)
        expect(fresh.locator("#half-page")).to_have_count(0)
        fresh.close()


def test_a_page_that_never_comes_whole_says_so(shared_app, page):
    page.route("**/assets/HTML-*.js", lambda route: route.abort())
    page.goto(shared_app.url)
    note = page.locator("#half-page")
    expect(note).to_contain_text("A part of this page did not arrive", timeout=SOON)
    page.unroute_all()
    note.get_by_role("button").click()
    expect(page.locator("#worker-state")).to_contain_text("worker running", timeout=SOON)
    expect(note).to_have_count(0)


def test_a_page_at_work_is_not_loaded_again_by_itself(shared_app, page):
    page.goto(shared_app.url)
    expect(page.locator("#worker-state")).to_contain_text("worker running", timeout=SOON)
    page.evaluate("window.isTheSame = true")
    page.evaluate("window.dispatchEvent(new Event('vite:preloadError'))")
    expect(page.locator("#half-page")).to_be_visible()
    assert page.evaluate("window.isTheSame")


def test_a_page_says_that_its_visitor_is_signed_out(stopped_app, page, monkeypatch):
    monkeypatch.setenv("CODELUTRA_USERS", "eve:viewer:a-long-password")
    stopped_app.start("--host", "127.0.0.2")
    page.goto(stopped_app.url.replace("127.0.0.1", "127.0.0.2"))
    page.get_by_label("username").fill("eve")
    page.get_by_label("password").fill("a-long-password")
    page.get_by_role("button", name="Login").click()
    expect(page.locator("#worker-state")).to_contain_text("worker running", timeout=SOON)
    page.context.clear_cookies()
    expect(page.locator("#no-answer")).to_contain_text("You are signed out", timeout=SOON)


def test_a_page_outlives_the_death_of_postgres_and_says_so_meanwhile(
    stopped_app, page, monkeypatch
):
    if not programs():
        pytest.skip("PostgreSQL is not installed")
    with private_postgres() as server:
        monkeypatch.setenv("DATABASE_URL", server.new_database())
        stopped_app.start()
        page.goto(stopped_app.url)
        worker = page.locator("#worker-state")
        expect(worker).to_contain_text("worker running", timeout=SOON)
        note = page.locator("#no-answer")
        for is_opened_then in (False, True):
            os.kill(server.pid, signal.SIGKILL)
            if is_opened_then:
                page.goto(f"{stopped_app.url}?tab=pairs")
            expect(note).to_contain_text("The database cannot be read", timeout=SOON)
            time.sleep(DOWN_S)
            server.start()
            expect(note).to_have_count(0, timeout=SOON)
            expect(worker).to_contain_text("worker running", timeout=SOON)
        expect(page.get_by_role("heading", name="No pair yet")).to_be_visible(timeout=SOON)
