"""Presets, files, clones, the queue, and ending a run: what one does around runs.

One app for the file; its worker is the tests' own, so that a run takes seconds.
"""

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from gradio_client import Client
from playwright.sync_api import Page, expect

from codelutra.config import RefineConfig
from codelutra.config_text import command_of
from storage import db, queries

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds
RUN = 120_000
# What was folded gets its values a frame after it is there: no person types so soon.
FRAMES = "new Promise(then => requestAnimationFrame(() => requestAnimationFrame(then)))"


@pytest.fixture
def page(browser, quick_app):
    db.init(quick_app.home)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()


@pytest.fixture(scope="module")
def client(quick_app):
    return Client(quick_app.url, verbose=False)


def queue_run(client: Client, iterations: int, tasks: int) -> int:
    settings = {"max_train": tasks, "max_heldout": tasks, "sampling.num_samples": 2}
    run_id: int = client.predict("starter", "starter", iterations, settings, api_name="/start_run")
    return run_id


def stored(run_id: int) -> RefineConfig:
    with db.open_session() as session:
        run = queries.get_run(session, run_id=run_id)
        assert run
        return RefineConfig.model_validate(run.config)


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#worker-state footer")).to_be_visible()


def shown_command(page: Page):
    page.get_by_role("button", name="As a command or a file").click()
    return page.locator("#same pre")


def load(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Load settings from YAML").click()
    chooser.value.set_files(file)


def test_a_preset_is_started_as_its_command_says_and_is_cloned(browser, quick_app, page, tmp_path):
    open_page(page, quick_app.url)
    expect(page.locator("#run-panel")).to_contain_text("Nothing has run yet")
    page.get_by_role("radio", name="Low first accuracy").click()
    expect(page.locator("#preset-note")).to_contain_text("Whether a model that solves little")
    lines = shown_command(page)
    expect(lines).to_contain_text("--set sampling.low_yield=1.0")
    line = lines.inner_text()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#form-message")).to_contain_text("Run 1 is queued")
    assert command_of(stored(1)) == line

    with page.expect_download() as saved:
        page.locator("#same .file").click()
    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)
    other = browser.new_page()
    open_page(other, quick_app.url)
    expect(shown_command(other)).not_to_contain_text("low_yield")
    load(other, file)
    expect(other.locator("#form-message")).to_contain_text(f"The settings of {file.name}")
    expect(other.locator("#same pre")).to_have_text(line)
    file.write_text("model: starter\nseeed: 1\n")
    load(other, file)
    wrong = other.get_by_role("alert").filter(has_text="line 2: seeed: there is no such setting")
    expect(wrong).to_contain_text("Nothing was changed")
    expect(other.locator("#same pre")).to_have_text(line)
    other.reload()
    expect(shown_command(other)).not_to_contain_text("low_yield")
    other.get_by_role("button", name="Clone into the form").click()
    expect(other.locator("#form-message")).to_contain_text("The settings of run 1")
    expect(other.locator("#same pre")).to_have_text(line)
    other.close()


def test_two_runs_of_the_ablation_wait_and_change_places(quick_app, page, client):
    first = queue_run(client, 1, 400)  # longer than what is done here
    open_page(page, f"{quick_app.url}?run={first}")
    expect(page.locator("#run-panel .chip")).to_have_text("running")
    page.get_by_role("radio", name="Without the likelihood term").click()
    page.locator("#vary > button").click()
    expect(
        page.locator("#vary-training-sft_weight input, #vary-training-sft_weight textarea")
    ).to_have_value("1.0, 0.0")
    expect(page.locator("#preset-note")).to_contain_text("two runs that differ in")
    expect(page.locator("#before")).to_contain_text("Time, each")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#form-message")).to_contain_text("one behind the other")
    with_term, without = first + 1, first + 2
    expect(page.locator("#run-panel")).to_contain_text(f"Queued behind run {first}")
    queue = page.locator("#run-queue li")
    expect(queue).to_have_text([re.compile(f"Run {with_term}:"), re.compile(f"Run {without}:")])
    page.get_by_label(f"Start run {without} earlier").click()
    expect(queue).to_have_text([re.compile(f"Run {without}:"), re.compile(f"Run {with_term}:")])
    expect(page.locator("#run-panel")).to_contain_text(f"Queued behind run {first}, run {without}")
    assert stored(without).training.sft_weight == 0
    page.goto(f"{quick_app.url}?run={first}")
    page.get_by_role("button", name="Cancel").click()  # the others hold no task of this worker
    expect(page.locator("#run-queue li")).to_have_count(0)


def test_a_run_ends_after_its_iteration_and_the_wish_can_be_taken_back(quick_app, page, client):
    run_id = queue_run(client, 3, 12)
    open_page(page, f"{quick_app.url}?run={run_id}")
    panel = page.locator("#run-panel")
    expect(panel).to_contain_text("Iteration 1 of 3")
    expect(panel).to_contain_text("a second")
    expect(panel.locator(".gauges")).to_contain_text("CPU")
    page.get_by_role("button", name="Stop after this iteration").click()
    expect(panel).to_contain_text("It ends after iteration 1, as asked")
    page.get_by_role("button", name="Go on to the end").click()
    expect(panel).not_to_contain_text("as asked")
    page.get_by_role("button", name="Stop after this iteration").click()
    expect(panel.locator(".chip")).to_have_text("completed", timeout=RUN)
    expect(panel).to_contain_text("as asked")
    expect(panel).to_contain_text("left out")

    panel.locator("button[data-at='1']").click()
    expect(panel.locator(".iteration")).to_contain_text("Held-out pass@1")
    expect(page).to_have_url(re.compile("iteration=1"))
    page.reload()
    expect(panel.locator(".iteration")).to_contain_text("Iteration 1")
    expect(page).to_have_url(re.compile(f"run={run_id}.*iteration=1"))


def test_tags_and_a_note_are_kept_while_written_and_found(quick_app, page, client):
    run_id = queue_run(client, 0, 2)
    open_page(page, f"{quick_app.url}?run={run_id}")
    page.get_by_role("button", name="Settings, tags and note").click()
    note, tags = (
        page.locator("#run-note textarea"),
        page.locator("#run-tags").get_by_role("textbox"),
    )
    expect(page.locator("#run-settings pre")).to_contain_text("--iterations 0")
    page.evaluate(FRAMES)
    tags.fill("Baseline, #small")
    note.fill("half <b>done</b>")
    expect(page.locator("#run-panel .chip")).to_have_text("completed", timeout=RUN)
    page.get_by_role("tab", name="Trends").click()
    expect(page.locator("#trend-head")).to_contain_text("Base model: ")
    page.get_by_role("tab", name="Refine").click()
    # The page is told news all the time.
    expect(note).to_have_value("half <b>done</b>")
    expect(tags).to_have_value("Baseline, #small")
    page.get_by_role("button", name="Save tags and note").click()
    picker = page.locator("#run-picker input")
    expect(picker).to_have_value(re.compile("#baseline #small"))
    find = page.locator("#run-words").get_by_role("textbox")
    find.fill("small HALF")
    find.press("Enter")
    expect(page.locator("#run-choice")).to_contain_text("1 of")
    page.reload()
    page.get_by_role("button", name="Settings, tags and note").click()
    expect(note).to_have_value("half <b>done</b>")
    expect(tags).to_have_value("baseline small")
