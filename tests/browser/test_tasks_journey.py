"""A set is imported, looked through, checked, and its bad tasks are put away, in a browser."""

import json
import re

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.tasks.quarantine import quarantined
from codelutra.tasks.stored import import_set, stored_names

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds


@pytest.fixture(params=[390])
def page(browser, request):
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()


def write(path, number, **first):
    rows = [
        {
            "task_id": f"t{n}", "kind": "python", "prompt": f"<b>Number {n}</b>\n",
            "gold": f"result = {n}", "tags": ["easy" if n % 2 else "hard"],
        }
        for n in range(number)
    ]  # fmt: skip
    rows[0] |= first
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_set_is_imported_checked_and_cleaned(running_app, page, tmp_path):
    path = write(tmp_path / "my tasks.jsonl", 40, gold="result = 1 / 0")
    page.goto(running_app.url + "?tab=tasks")
    expect(page.locator("#task-facts")).to_contain_text("800 tasks")
    page.locator("#import > button").click()
    page.locator("#import-file input[type=file]").set_input_files(path)
    expect(page.locator("#import-file")).to_contain_text("my tasks")
    page.locator("#import-preview").click()
    expect(page.locator("#import-shown pre")).to_have_count(5)
    expect(page.locator("#import-shown pre").first).to_have_text("<b>Number 0</b>\n")
    assert stored_names() == []
    page.locator("#import-button").click()
    expect(page.locator("#import-message")).to_contain_text("40 tasks are kept as my-tasks")
    expect(page.locator("#task-facts")).to_contain_text("40 tasks")
    assert stored_names() == ["my-tasks"]

    page.locator("#check-golds").click()
    expect(page.locator("[data-problem=failing]")).to_contain_text("1 failing")
    expect(page.locator("#task-health")).to_contain_text("39 of 40 golds have nothing against")
    page.locator("button[data-quarantine=failing]").click()
    expect(page.locator("#task-facts")).to_contain_text("1 in quarantine")
    assert list(quarantined("my-tasks")) == ["t0"]

    page.locator("button[data-task=t0]").click()
    shown = page.locator("[data-task-shown=t0]")
    expect(shown).to_contain_text("ZeroDivisionError")
    expect(shown.get_by_text("result = 1 / 0")).not_to_be_visible()
    expect(page).to_have_url(re.compile("tab=tasks&set=my-tasks.*task=t0"))
    page.locator("#quarantine").click()
    expect(page.locator("#quarantine")).to_have_text("Quarantine this task")
    assert quarantined("my-tasks") == {}

    page.reload()  # the address says the set and the task
    expect(shown).to_contain_text("<b>Number 0</b>")
    page.locator("#filter-words input, #filter-words textarea").fill("number 39")
    page.keyboard.press("Enter")
    expect(page.locator("[data-found='1']")).to_be_visible()
    expect(page.locator("button[data-task]")).to_have_text(["t39"])
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]

    page.goto(running_app.url)  # and new runs are offered the set
    expect(page.locator("#worker-state footer")).to_be_visible()
    expect(page.locator("#banner")).not_to_be_visible()
    page.locator("#tasks input").click()
    expect(page.get_by_role("option", name="my-tasks")).to_be_visible()


def test_a_long_check_shows_how_far_it_is_and_can_be_cancelled(running_app, page, tmp_path):
    gold = "import time\nend = time.process_time() + 0.05\nwhile time.process_time() < end: pass\n"
    rows = [
        {"task_id": f"t{n}", "kind": "python", "prompt": "p", "gold": f"{gold}result = {n}"}
        for n in range(1000)
    ]
    path = tmp_path / "slow.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_set(path, "slow")
    page.goto(running_app.url + "?tab=tasks&set=slow")
    page.locator("#check-golds").click()
    progress = page.locator("#task-health .progress")
    expect(progress).to_contain_text(re.compile("[1-9][0-9]* of 1,000 golds"), timeout=30_000)
    page.reload()  # the check does not mind
    expect(progress).to_contain_text("of 1,000 golds")
    page.locator("#cancel-check").click()
    expect(page.locator("#task-health")).to_contain_text("The last check was cancelled")
    expect(page.locator("#check-golds")).to_be_enabled()
