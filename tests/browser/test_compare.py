"""Model states are compared on the Compare tab, in a real Chromium, from a real engine."""

import csv
import shutil
import time

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.config import RefineConfig
from codelutra.models import model_revision
from codelutra.records import Adapter
from codelutra.run_rows import RunRows, run_folder
from codelutra.tasks import load_tasks
from storage import comparisons, db, jobs
from tests.generation.adapters import make_adapter
from tests.serving.scripted import scripted

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds: the engine's libraries load meanwhile
TASK = "query-train-0020"  # the starter solves it; its answer has five rows
MARKUP = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"


@pytest.fixture(scope="module")
def run_id(module_app, tmp_path_factory):
    """A cancelled run with a trained iteration 1, and a 2 whose file was replaced since."""
    made = tmp_path_factory.mktemp("made")
    jobs.prepare(module_app.home)
    config = RefineConfig.for_model("starter", generation={"backend": "transformers"})
    with db.open_session() as session:
        run = jobs.submit(
            session, config=config.model_dump(mode="json"), name="mine", num_train=9, num_heldout=9
        )
    jobs.cancel(run.id)
    rows = RunRows(run.id, run.workflow_id)
    adapters = [make_adapter(made / str(seed), seed=seed, size=0.3) for seed in (1, 2, 9)]
    for number, adapter in enumerate(adapters[:2], 1):
        folder = run_folder(run.id) / f"adapter-{number}"
        shutil.copytree(adapter.path, folder)
        base = "starter", model_revision("starter"), "base"
        rows.add_adapter(number, Adapter(str(folder), adapter.sha256, *base))
    shutil.copytree(adapters[2].path, folder, dirs_exist_ok=True)
    return run.id


@pytest.fixture
def app(module_app, run_id):
    """One app, worker and engine for all: what they hold is the same from test to test."""
    return module_app


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(SOON)
    expect.set_options(timeout=SOON)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    yield page
    assert not page.errors
    assert page.evaluate("window.broken") is None
    page.close()


def open_compare(page, app, task=TASK):
    page.goto(f"{app.url}?tab=compare")
    expect(page.locator("#compare-a input")).to_have_value("starter (base)")
    page.locator("#compare-task input, #compare-task textarea").fill(task)
    page.locator("#compare-task input, #compare-task textarea").press("Enter")
    expect(page.locator("#compare-prompt textarea")).to_have_value(prompt_of(task))


def prompt_of(task):
    return next(t.prompt for t in load_tasks("starter") if t.task_id == task)


def choose(page, letter, key):
    box = page.locator(f"#compare-{letter} input")
    box.fill(key)
    box.press("Enter")
    page.keyboard.press("Tab")


def over(page):
    return page.locator("[data-comparison][data-state=over]")


def column(page, place):
    return page.locator(f"[data-place='{place}']")


def ask(page):
    """The number of the comparison, which is over."""
    page.locator("#compare-ask").click()
    expect(over(page)).to_be_visible()
    return int(over(page).get_attribute("data-comparison"))


def answers(number):
    with db.open_session() as session:
        return comparisons.answers(session, comparison_id=number)


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_each_column_proves_who_answered(app, page, run_id):
    open_compare(page, app)
    choose(page, "b", f"run:{run_id}/1")
    choose(page, "c", "base:starter")
    number = ask(page)
    left, right, same = answers(number)
    assert same.text == left.text
    expect(page.locator("[data-same]")).to_contain_text("A and C gave the same text")
    assert left.text.strip() == "SELECT handle FROM train ORDER BY fuel LIMIT 5"
    assert right.text != left.text
    expect(column(page, 0).locator("[data-proof]")).to_contain_text("no adapter")
    sha256 = RunRows(run_id, "").adapter(1).sha256
    expect(column(page, 1).locator("[data-proof]")).to_contain_text(f"{sha256[:12]} = as recorded")
    expect(column(page, 1).locator("[data-proof]")).to_contain_text("the adapter answers")
    expect(column(page, 0).locator("[data-ran=correct]")).to_be_visible()
    expect(column(page, 0).locator("table[data-value] tr")).to_have_count(5)

    page.locator("[data-do=probe]").click()
    expect(page.locator("[data-probe]")).to_contain_text("A and B first differ at token")
    expect(page.locator("[data-probe]")).to_contain_text("To A and C every token")
    page.goto(f"{app.url}?tab=compare&comparison={number}")  # as somebody else is sent it
    expect(column(page, 0).locator("table[data-value] tr")).to_have_count(5)


def test_a_replaced_adapter_file_is_not_taken_for_the_trained_one(app, page, run_id):
    open_compare(page, app)
    choose(page, "b", f"run:{run_id}/2")
    ask(page)
    expect(column(page, 1).locator("[data-untrue]")).to_contain_text("training recorded")
    expect(column(page, 0).locator("[data-untrue]")).to_have_count(0)


def test_a_blind_vote_becomes_a_pair_of_the_next_training_set(app, page, run_id):
    open_compare(page, app)
    choose(page, "b", f"run:{run_id}/1")
    page.locator("#compare-blind input").check()
    number = ask(page)
    expect(page.locator("#compare-view")).not_to_contain_text(f"Run {run_id}")
    expect(page.locator("[data-proof]")).to_have_count(0)
    expect(page.locator("[data-do=pair]")).to_have_count(0)
    with db.open_session() as session:
        keys = [one["key"] for one in comparisons.get(session, comparison_id=number).columns]
    best = keys.index("base:starter")
    page.locator(f"[data-do=vote][data-choice='{best}']").click()
    expect(page.locator("[data-voted]")).to_contain_text("starter (base) is best")
    page.locator("#compare-rates > button").click()
    expect(page.locator("#compare-rates")).to_contain_text("100.0%")

    page.locator(f"[data-do=pair][data-chosen='{best}']").click()
    expect(page.locator("#compare-view")).to_contain_text("1 pairs joined iteration 3 (1 executed)")
    (pair,) = RunRows(run_id, "").training_pairs(3)
    assert pair.task_id == TASK
    assert pair.chosen.strip() == "SELECT handle FROM train ORDER BY fuel LIMIT 5"
    page.locator("#compare-history > button").click()
    page.locator("#compare-history textarea, #compare-history input").first.fill(TASK)
    page.keyboard.press("Enter")
    expect(page.locator(f"#compare-table [data-open='{number}']")).to_be_visible()


def test_samples_show_their_pass_rate_and_a_held_out_task_makes_no_pair(app, page, run_id):
    open_compare(page, app, "query-heldout-0012")
    choose(page, "b", f"run:{run_id}/1")
    page.locator("#compare-mode").get_by_text("samples").click()
    ask(page)
    expect(page.locator("[data-rate]")).to_have_count(2)
    expect(column(page, 1).locator("[data-rate]")).to_contain_text("0 of 5 correct")
    expect(page.locator("[data-no-pair]")).to_contain_text("held out")


def test_two_columns_stream_at_once_until_a_run_takes_the_machine_and_go_on_after_it(
    app, page, run_id
):
    open_compare(page, app)
    choose(page, "b", f"run:{run_id}/1")
    page.locator("#compare-mode").get_by_text("samples").click()
    page.locator("#compare-settings > button").click()
    page.get_by_label("Samples, n").fill("30")
    page.get_by_label("Longest answer, tokens").fill("400")
    for setting, value in (("Temperature", "2"), ("Top-p", "1")):  # hardly any answer ends early
        page.get_by_label(setting).fill(value)
    page.locator("#compare-ask").click()
    expect(page.locator("[data-answer=answering]")).to_have_count(2)  # they stream at once
    said = column(page, 0).locator("[data-text]").first
    before = said.inner_text()
    expect(said).not_to_have_text(before)
    expect(page.locator("[data-answer=answering]")).to_have_count(2)
    config = RefineConfig.for_model(
        "starter", iterations=1, max_train=300, max_heldout=100,
        generation={"backend": "transformers"},
    )  # fmt: skip
    with db.open_session() as session:
        run = jobs.submit(
            session, config=config.model_dump(mode="json"), name="first", num_train=300,
            num_heldout=100,
        )  # fmt: skip
    waiting = page.locator("[data-waiting]")
    expect(waiting).to_contain_text(f"Run {run.id} has the machine")
    expect(page.locator("#engine-state [data-engine=evicted]")).to_be_visible()
    jobs.cancel(run.id)
    expect(over(page)).to_be_visible()
    number = int(over(page).get_attribute("data-comparison"))
    assert {answer.state for answer in answers(number)} == {"done"}


def test_a_file_of_prompts_goes_through_several_states(app, page, run_id, tmp_path):
    tasks = [task for task in load_tasks("starter") if task.split == "heldout"][:3]
    prompts = tmp_path / "mine.jsonl"
    prompts.write_text("".join(task.model_dump_json() + "\n" for task in tasks))
    open_compare(page, app)
    choose(page, "b", f"run:{run_id}/1")
    page.locator("#compare-batch > button").click()
    page.locator("#compare-batch input[type=file]").set_input_files(prompts)
    expect(page.locator("#compare-batch")).to_contain_text("mine.jsonl")
    page.locator("#compare-batch-start").click()
    rows = page.locator("[data-batch=over] tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("starter (base)")
    expect(rows.last).to_contain_text(f"Run {run_id}, iteration 1")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the table").click()
    with open(download.value.path(), newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["task_id"] for row in found[::2]] == [task.task_id for task in tasks]
    assert {row["verdict"] for row in found} - {"correct"}


def test_hostile_answers_leave_the_page_usable(app, page, run_id):
    odd = f"{MARKUP}\x1b[31mred\x00\u202eevil"
    said = {"html": odd, "forever": "while True:\n    pass", "empty": "", "endless": "x = 1 # "}
    with scripted(said, endless="endless") as url:
        page.goto(f"{app.url}?tab=compare")
        expect(page.locator("#compare-a input")).to_have_value("starter (base)")
        page.locator("#compare-tasks input").click()
        page.get_by_role("option", name="a prompt of my own").click()
        page.locator("#compare-prompt textarea").fill(odd)
        page.locator("#compare-own input").first.click()
        page.get_by_role("option", name="Python").click()
        page.get_by_label("A correct program, if you know one").fill("result = 1")
        for letter, name in zip("abcd", said, strict=True):
            choose(page, letter, f"{url} {name}")
        ask(page)
        expect(column(page, 0)).to_contain_text(MARKUP)
        expect(column(page, 0).locator("[data-proof]")).to_contain_text("nothing proves it")
        expect(column(page, 1).locator("[data-ran=timeout]")).to_be_visible()
        expect(column(page, 2).locator("[data-empty]")).to_be_visible()
        expect(column(page, 3)).to_contain_text("cut at the longest answer")
        page.set_viewport_size({"width": 390, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_what_is_stopped_or_left_does_not_go_on(app, page, run_id):
    with scripted({"endless": "x " * 5}, endless="endless") as url:
        page.goto(f"{app.url}?tab=compare")
        expect(page.locator("#compare-a input")).to_have_value("starter (base)")
        choose(page, "a", f"{url} endless")
        page.locator("#compare-settings > button").click()
        page.get_by_label("Longest answer, tokens").fill("4000")
        page.locator("#compare-ask").click()
        expect(page.locator("[data-place='0'][data-answer=answering]")).to_be_visible()
        page.locator("[data-do=stop]").click()
        expect(over(page)).to_be_visible()
        expect(page.locator("[data-place='0'][data-answer=stopped]")).to_be_visible()
        page.locator("[data-do=again]").click()
        expect(page.locator("[data-place='0'][data-answer=answering]")).to_be_visible()
        number = int(page.locator("[data-comparison]").get_attribute("data-comparison"))
        page.goto("about:blank")
        wait_until(lambda: "stopped" in {answer.state for answer in answers(number)})
