"""Pairs are judged by keyboard, edited, vetoed in bulk and by two people, in a real Chromium."""

import re

import pytest

pytest.importorskip("playwright")
from playwright.sync_api import expect

from codelutra.config import RefineConfig
from codelutra.tasks import load_tasks
from storage import db, jobs, pairs, queries, recording
from tests.storage.rows import iteration

pytestmark = pytest.mark.browser

SOON = 60_000  # milliseconds
NUM_TASKS, A_TASK = 8, 4
HOSTILE = (
    "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    "\x1b[31mred\x00\u202eevil\u202c " + "x" * 1_000_000
)


wide_and_narrow = pytest.mark.parametrize("page", [1440, 390], indirect=True)


@pytest.fixture
def page(browser, request):
    width = getattr(request, "param", 1440)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(SOON)
    expect.set_options(timeout=SOON)
    yield page
    page.close()


@pytest.fixture
def run_id(module_app, monkeypatch):
    """A run whose first iteration has pairs of starter tasks: the gold, and four wrong programs."""
    monkeypatch.setenv("CODELUTRA_HOME", str(module_app.home))
    jobs.prepare(module_app.home)
    tasks = [task for task in load_tasks("starter") if task.kind == "sql"][:NUM_TASKS]
    with db.open_session() as session:
        config = RefineConfig.for_model("starter").model_dump(mode="json")
        run = queries.create_run(
            session, name="starter", config=config, num_train=NUM_TASKS, num_heldout=1,
        )  # fmt: skip
        where = iteration(session, run.id, 1)
        drawn, rows = [], []
        label = {"detail": "", "seconds": 0.01, "flaky": False, "output": "", "extraction": ""}
        for task in tasks:
            wrong = [f"SELECT {n} FROM nowhere" for n in range(1, A_TASK)] + ["SELEC 1"]
            drawn.append({"task_id": task.task_id, "index": 0, "completion": task.gold,
                          "verdict": "correct", **label})  # fmt: skip
            for index, program in enumerate(wrong, start=1):
                verdict = "syntax_error" if program == "SELEC 1" else "runtime_error"
                drawn.append({"task_id": task.task_id, "index": index, "completion": program,
                              "verdict": verdict, **label})  # fmt: skip
                rows.append({"task_id": task.task_id, "chosen": task.gold, "rejected": program,
                             "chosen_index": 0, "rejected_index": index})  # fmt: skip
        rows[0]["rejected"] = HOSTILE
        recording.add_samples(session, iteration_id=where, split="train", rows=drawn)
        recording.add_pairs(session, iteration_id=where, rows=rows)
    return run.id


def states(run_id):
    with db.open_session() as session:
        return pairs.states(session, run_id=run_id)


def get(pair_id):
    with db.open_session() as session:
        return pairs.get(session, pair_id=pair_id)


def shown(page):
    return page.locator("#pair-focus [data-pair]")


def number(page):
    return int(shown(page).get_attribute("data-pair"))


def decide(page, *keys):
    """Press keys that decide on the pair that is shown, and wait for the next one."""
    before = number(page)
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator(f"[data-pair='{before}']")).to_have_count(0)
    return before


def open_pairs(page, app, run_id, more=""):
    page.goto(f"{app.url}?tab=pairs&run={run_id}&order=newest{more}")
    expect(shown(page)).to_be_visible()


@wide_and_narrow
def test_twenty_pairs_are_judged_by_keyboard_alone(module_app, page, run_id):
    open_pairs(page, module_app, run_id)
    expect(page.locator("[data-progress]")).to_contain_text("32 undecided")
    decided = [decide(page, "k") for _ in range(8)]
    decided += [decide(page, str(1 + place % 6)) for place in range(6)]
    decided += [decide(page, "f") for _ in range(3)] + [decide(page, "s") for _ in range(3)]
    assert len(set(decided)) == 20
    assert states(run_id) == {
        "kept": 8, "vetoed": 6, "flipped": 3, "skipped": 3, "pending": NUM_TASKS * A_TASK - 20,
    }  # fmt: skip
    assert [get(pair_id).reason for pair_id in decided[8:14]] == [
        "wrong_gold", "ambiguous", "unfair_test", "trivial", "bad_style", "other",
    ]  # fmt: skip
    expect(page.locator("[data-progress]")).to_contain_text("20 decided, 12 undecided")

    page.reload()  # what was done can be taken back all the same
    expect(shown(page)).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(f"[data-pair='{decided[-1]}']")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(f"[data-pair='{decided[-2]}']")).to_be_visible()
    assert states(run_id)["skipped"] == 1
    expect(page).to_have_url(re.compile(rf"tab=pairs.*run={run_id}.*pair={decided[-2]}"))
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_a_key_pressed_twice_decides_once(module_app, page, run_id):
    open_pairs(page, module_app, run_id)
    before = number(page)
    key = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'k'}))"
    page.evaluate(f"for (const _ of [1, 2, 3]) {key}")
    expect(page.locator(f"[data-pair='{before}']")).to_have_count(0)
    expect(page.locator("[data-progress]")).to_contain_text("1 decided, 31 undecided")
    decide(page, "s")  # what was pressed in vain is not kept for later
    assert states(run_id) == {"kept": 1, "skipped": 1, "pending": 30}


def test_keys_rest_while_somebody_types_and_can_be_changed(module_app, page, run_id):
    open_pairs(page, module_app, run_id)
    before = number(page)
    name = page.locator("#reviewer input, #reviewer textarea")
    name.fill("")
    name.press_sequentially("kvfs")  # every letter is a decision elsewhere
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("[data-key-for=keep]").fill("x")
    page.keyboard.press("Escape")
    expect(page.locator("[data-key-of=keep]")).to_have_text("x")
    assert states(run_id) == {"pending": NUM_TASKS * A_TASK}
    assert number(page) == before
    decide(page, "x")
    assert get(before).reviewer == "kvfs"
    page.reload()
    expect(page.locator("[data-key-of=keep]")).to_have_text("x")
    expect(name).to_have_value("kvfs")


@wide_and_narrow
def test_an_edited_program_is_taken_only_if_it_is_correct(module_app, page, run_id):
    open_pairs(page, module_app, run_id, "&words=selec*")
    before = get(number(page))
    page.keyboard.press("e")
    area = page.locator("[data-edit=chosen]")
    area.fill("SELECT 'no such answer'")
    page.locator("[data-do=try][data-side=chosen]").click()
    expect(page.locator("[data-trial=finished]")).to_contain_text("not taken: it is wrong result")
    assert get(before.id).chosen == before.chosen
    expect(area).to_have_value("SELECT 'no such answer'")  # what was typed is not lost
    better = f"{before.chosen.rstrip(';')} -- said better"
    area.fill(better)
    page.locator("[data-do=try][data-side=chosen]").click()
    expect(page.locator("[data-shown-state]")).to_have_text("kept")
    assert get(before.id).chosen == better
    expect(page.locator("[data-evidence=chosen]")).to_contain_text("written by a person")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.locator("[data-evidence=rejected] [data-trial=finished]")).to_contain_text(
        "every time"
    )
    page.keyboard.press("u")
    expect(page.locator("[data-shown-state]")).to_have_text("undecided")
    assert get(before.id).chosen == before.chosen


def test_a_bulk_veto_of_a_filter_and_its_undo(module_app, page, run_id):
    open_pairs(page, module_app, run_id, "&verdict=syntax_error")
    expect(page.locator("[data-found='8']")).to_be_visible()
    expect(page).to_have_url(re.compile("verdict=syntax_error.*count=8|count=8.*verdict="))
    page.locator("#pair-bulk > button").click()
    page.locator("#bulk-ask").click()
    expect(page.locator("#bulk-message")).to_contain_text("Veto 8 pairs")
    assert states(run_id) == {"pending": NUM_TASKS * A_TASK}
    page.locator("#bulk-do").click()
    expect(page.locator("#bulk-message")).to_contain_text("8 pairs are vetoed now")
    expect(page.locator("#pair-focus [data-state=done]")).to_be_visible()
    assert states(run_id) == {"pending": 24, "vetoed": 8}
    expect(page).to_have_url(re.compile("verdict=syntax_error.*count=0|count=0.*verdict="))
    expect(page).not_to_have_url(re.compile("pair="))
    page.reload()
    expect(page.locator("#pair-focus [data-state=done]")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("[data-found='8']")).to_be_visible()
    assert states(run_id) == {"pending": 32}


def test_two_people_see_each_other_and_lose_no_decision(module_app, browser, page, run_id):
    open_pairs(page, module_app, run_id)
    ann = page.locator("#reviewer input, #reviewer textarea")
    ann.fill("ann")
    decide_next = number(page)
    page.locator(f"[data-open='{decide_next}']").click()
    other = browser.new_context(viewport=page.viewport_size).new_page()
    open_pairs(other, module_app, run_id, f"&pair={decide_next}")
    other.locator("#reviewer input, #reviewer textarea").fill("bob")
    expect(other.locator("[data-held]")).to_contain_text("opened this pair")
    other.locator("[data-do=keep]").click()
    expect(other.locator(f"[data-pair='{decide_next}']")).to_have_count(0)
    # Ann's page says so by itself, and what she does next is not done to bob's decision.
    expect(page.locator("[data-shown-state]")).to_have_text("kept")
    version = shown(page).get_attribute("data-version")
    assert version == "1"
    page.evaluate(
        "document.querySelector('#pair-focus [data-pair]').dataset.version = 0"
    )  # as if she had been quicker than the news
    page.locator("[data-do=veto]:not([data-reason])").click()
    page.locator("[data-reason=trivial]").click()
    expect(page.get_by_text("bob has changed pair")).to_be_visible()
    assert (get(decide_next).state, get(decide_next).reviewer) == ("kept", "bob")
    other.context.close()


@wide_and_narrow
def test_hostile_programs_are_text(module_app, page, run_id):
    open_pairs(page, module_app, run_id)
    first = number(page) - NUM_TASKS * A_TASK + 1
    page.goto(f"{module_app.url}?tab=pairs&pair={first}")
    expect(page.locator(f"[data-pair='{first}']")).to_be_visible()
    side = page.locator("#pair-focus .side.rejected")
    expect(side).to_contain_text("<script>window.broken = 1</script>")
    expect(side).to_contain_text("202E")
    expect(page.locator("#pair-focus")).to_contain_text(re.compile("the first .* of 1,000,0"))
    assert page.evaluate("window.broken") is None
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    page.keyboard.press("v")
    page.keyboard.press("1")
    expect(page.locator("[data-shown-state]")).to_have_text("vetoed")  # the last: it stays
    assert get(first).state == "vetoed"
