"""Trends: from two iterations to a broken task's programs, a report, and a zoom that is kept.

The rows are written by the test: no model is trained.
"""

import re

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import Page, expect

from codelutra.bundle import read_bundle
from pages.comparison import Policy, compare
from storage import db, jobs
from tests.trend_runs import HOSTILE, add_policy, add_run, submit

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds
PLACE = "document.querySelector('[data-curve=accuracy] > div')"


@pytest.fixture
def home(module_app, monkeypatch):
    """One for all tests of this file: each makes runs of its own."""
    monkeypatch.setenv("CODELUTRA_HOME", str(module_app.home))
    return module_app.home


@pytest.fixture
def page(browser):
    expect.set_options(timeout=SOON)  # of this file: three processes start on two cores
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(SOON)
    yield page
    page.close()
    expect.set_options(timeout=5_000)


def wait_for_charts(page: Page, first: str) -> None:
    charts = page.locator("#trend-charts .curves")
    expect(charts).to_have_attribute("data-version", re.compile(rf"^{first}-"), timeout=SOON)
    expect(page.locator("#trend-charts .main-svg").first).to_be_visible(timeout=SOON)


def drawn(page: Page) -> list[list[float]]:
    return page.evaluate(
        "[...document.querySelectorAll('#trend-charts [data-curve] > div')]"
        ".map(place => place.data.map(line => Array.from(line.y ?? [])).flat())"
    )


def test_two_iterations_are_compared_down_to_a_broken_tasks_programs(module_app, page, home):
    jobs.prepare(home)
    run_id, other = add_run("journey", (0.5, 0.6, 0.7)), add_run("beside", (0.5, 0.4), seed=9)
    with db.open_session() as session:
        broken = compare(session, Policy(run_id, 0), Policy(run_id, 1)).chosen("", "", "broken")
    page.goto(f"{module_app.url}?tab=trends&run={run_id}")
    wait_for_charts(page, str(run_id))
    expect(page.locator("#changes")).to_contain_text("From base to iteration 2")

    page.locator("#change-to input").click()
    page.get_by_role("option", name="iteration 1", exact=True).click()
    expect(page.locator("#changes")).to_contain_text("From base to iteration 1", timeout=SOON)
    page.locator("#changes .flip.broken").click()
    expect(page.locator("#changed-tasks li")).to_have_count(len(broken))
    page.locator("#changed-tasks button").first.click()
    programs = page.locator("#changed-programs")
    expect(programs).to_contain_text("The model reads")
    expect(programs.locator(".sides > div").nth(0)).to_contain_text("Before: base")
    expect(programs.locator(".sides > div").nth(1)).to_contain_text(HOSTILE)  # as text
    for part in ("from=0", "to=1", "cell=broken", f"task={broken[0].task_id}"):
        expect(page).to_have_url(re.compile(rf"[?&]{part}(&|$)"))

    before = drawn(page)
    page.reload()  # the address has it all
    wait_for_charts(page, str(run_id))
    expect(page.locator("#changed-programs")).to_contain_text(broken[0].task_id)
    expect(page.locator("#changed-tasks li")).to_have_count(len(broken))
    assert drawn(page) == before  # the same charts

    page.goto(f"{module_app.url}?tab=trends&run={run_id}&with={other}&chart=time&iteration=1")
    wait_for_charts(page, f"{run_id}-{other}")
    expect(page.locator("[data-curve=time]")).to_be_in_viewport()
    expect(page.locator("[data-curve=accuracy] .legendtext")).to_have_count(2)
    expect(page.locator("#side-by-side")).to_contain_text("rounds of refinement")
    expect(page.locator("#training-note")).to_contain_text("Iteration 1, step 40")
    assert page.evaluate("document.body.dataset.hit") is None


def test_a_report_and_the_numbers_are_downloaded(module_app, browser, page, home, tmp_path):
    jobs.prepare(home)
    run_id = add_run("journey", (0.5, 0.6))
    page.goto(f"{module_app.url}?tab=trends&run={run_id}")
    wait_for_charts(page, str(run_id))
    names = {kind: f"run-{run_id}.{kind}" for kind in ("html", "md", "csv", "parquet")}
    for kind, name in (names | {"zip": f"run-{run_id}-bundle.zip"}).items():
        with page.expect_download(timeout=SOON) as found:
            page.locator(f"#download-{kind}").click()
        assert found.value.suggested_filename == name
        found.value.save_as(tmp_path / f"run.{kind}")
    assert (tmp_path / "run.md").read_text().startswith(f"# Run {run_id}, journey: starter on")
    assert (tmp_path / "run.csv").read_text().startswith("chart,run,iteration,series,value,low,")
    assert read_bundle(tmp_path / "run.zip").results.base.verdicts["correct"] == 28
    assert (tmp_path / "run.parquet").read_bytes()[:4] == b"PAR1"
    report = browser.new_page()  # the dashboard's goes on asking for news until it is left
    requests: list[str] = []
    report.on("request", lambda request: requests.append(request.url))
    report.goto(f"file://{tmp_path / 'run.html'}")
    expect(report.get_by_role("heading", level=1)).to_contain_text("journey")
    expect(report.locator("svg")).to_have_count(4)
    report.close()
    assert [url for url in requests if not url.startswith("file:")] == []


def test_a_live_update_keeps_the_zoom_and_the_drawing(module_app, page, home):
    jobs.prepare(home)
    rows = submit("live", iterations=4)
    for number in (0, 1, 2):
        add_policy(rows, number, 0.5 + number / 10)
    smoke = submit("tried out", smoke=True)
    page.goto(f"{module_app.url}?tab=trends&run={rows.run_id}")
    wait_for_charts(page, str(rows.run_id))
    box = page.locator("[data-curve=accuracy] .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 160, steps=5)
    page.mouse.up()
    page.wait_for_function(f"{PLACE}._fullLayout.xaxis.range[1] < 2.4")
    zoomed = page.evaluate(f"{PLACE}._fullLayout.xaxis.range")
    drawing = page.locator("[data-curve=accuracy] .main-svg").first.element_handle()
    version = page.locator("#trend-charts .curves").get_attribute("data-version")
    add_policy(rows, 3, 0.9)
    expect(page.locator("#trend-table")).to_contain_text("iteration 3", timeout=SOON)
    expect(page.locator("#trend-charts .curves")).not_to_have_attribute("data-version", version)
    assert page.evaluate(f"{PLACE}._fullLayout.xaxis.range") == zoomed
    assert drawing.evaluate("drawing => drawing.isConnected")  # the same one: no flicker

    page.locator("#training-picker input").click()
    page.get_by_role("option", name="iteration 1").click()
    expect(page.locator("#training-note")).to_contain_text("Iteration 1, step 40", timeout=SOON)
    page.get_by_role("tab", name="Refine").click()
    expect(page.locator("#run-panel")).to_be_visible()
    page.get_by_role("tab", name="Trends").click()
    page.wait_for_timeout(4000)  # more than a tick: what was picked stays
    expect(page.locator("#training-note")).to_contain_text("Iteration 1, step 40")
    expect(page.locator("#training-picker input")).to_have_value("iteration 1")
    page.locator("#trend-picker input").click()
    expect(page.get_by_role("option", name=f"Run {rows.run_id}: live")).to_be_visible()
    expect(page.get_by_role("option", name=f"Run {smoke.run_id}:")).to_have_count(0)
