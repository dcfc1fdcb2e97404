"""What stands around the tabs, and what is offered in them, on a page that is opened later."""

import json
import sys

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.config import UNSAFE
from codelutra.tasks.stored import import_set

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


def test_a_set_that_was_imported_meanwhile_is_offered(running_app, page, tmp_path):
    rows = [
        {"task_id": f"t{n}", "kind": "python", "prompt": "p", "gold": "result = 1"}
        for n in range(4)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page.goto(running_app.url)
    expect(page.locator("#worker-state footer")).to_be_visible(timeout=SOON)
    expect(page.locator("#banner")).not_to_be_visible()
    import_set(path, "my-set")
    page.reload()
    expect(page.locator("#worker-state footer")).to_be_visible(timeout=SOON)
    page.locator("#tasks input").click()
    expect(page.get_by_role("option", name="my-set")).to_be_visible()
