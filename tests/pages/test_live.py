"""What an open page asks for: one reading for all who look on, and only what changed for each."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import gradio as gr
import pytest
from httpx import Response
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from pages import live, run_news, shell, trends
from pages.live import Live, Screen
from pages.roles import Access, accounts_of
from pages.run_news import NOTES, NUM_OUTPUTS, Look
from pages.shared import Kept, Shared, news
from storage import db, queries, recording, steering
from storage.db import StorageError


def client_of(answers: Live, **state: Any) -> TestClient:
    app = Starlette(routes=[Route("/live", answers.answer)])
    vars(app).update(state)
    return TestClient(app)


def ask_of(outputs: list[Any], have: str) -> str:
    """As the page asks, by what the server wrote into it last."""
    ask, mark = re.findall(r'data-(?:ask|mark)="(.*?)"', unescape(outputs[-1]))
    return f"/live?{ask}&mark={mark}&have={have}"


def version_of(html: str) -> str:
    return html.split('data-version="')[1].split('"')[0]


def json_of(answer: Response) -> dict[str, Any]:
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def page(store: Any) -> TestClient:
    return client_of(shell.build().live)


def test_without_a_database_a_page_is_told_so_and_nothing_of_where_it_is(caplog):
    where = "cannot reach postgresql://lab@10.0.0.1/lab: refused"
    is_there = []

    def around() -> live.Parts:
        if not is_there:
            raise StorageError(where)
        return {}

    asked = client_of(Live(Access({}), around, {}))
    for _ in range(3):
        news.forget()
        told = asked.get("/live?page=me")
        assert told.status_code == 503
        assert told.json() == {"error": live.NO_DATABASE, "wait_s": live.EVERY_S}
    assert [record.getMessage() for record in caplog.records if where in record.getMessage()] == [
        f"open pages ask in vain: {where}"
    ]
    is_there.append(True)
    assert json_of(asked.get("/live?page=me"))["parts"] == {}


def test_who_asks_the_same_at_once_shares_one_answer():
    shared: Shared[int] = Shared()
    asked: list[int] = []
    everybody = threading.Barrier(8)

    def ask() -> int:
        asked.append(1)
        return len(asked)

    def visit(key: str) -> int:
        everybody.wait()
        return shared.of(key, ask)

    with ThreadPoolExecutor(8) as visitors:
        answers = list(visitors.map(visit, ["a"] * 8))
    assert answers == [1] * 8
    assert shared.of("b", ask) == 2
    shared.forget()  # somebody changed something
    assert shared.of("a", ask) == 3


def test_a_page_is_sent_the_texts_that_changed_and_no_others(page, add_run):
    run_id = add_run((0.3, 0.6))
    outputs = run_news.show(Look(run_id))
    assert len(outputs) == NUM_OUTPUTS
    log, panel = outputs[5], outputs[1]
    have = f"run-log:{version_of(log)} run-panel:{version_of(panel)}"
    assert json_of(page.get(ask_of(outputs, have))) == {"parts": {}, "renew": False, "wait_s": 1.5}
    with db.open_session() as session:
        queries.add_log(session, run_id=run_id, message="a new line")
    news.forget()  # what is younger than a second is not read anew
    told = json_of(page.get(ask_of(outputs, have)))
    assert list(told["parts"]) == ["run-log"]
    assert "a new line" in told["parts"]["run-log"]
    assert not told["renew"]


def test_what_is_no_text_is_renewed_and_what_is_written_is_kept(page, add_run):
    run_id = add_run((0.3, 0.6))
    outputs = run_news.show(Look(run_id))
    steering.annotate(run_id, note="of somebody else", tags="night")
    told = json_of(page.get(ask_of(outputs, "run-log:1")))
    assert told["renew"]  # the run's name in the picker has the tag
    renewed = run_news.renew(Look(run_id))
    assert "#night" in renewed[0].choices[0][0]
    assert "value" not in renewed[0].constructor_args  # it may come after another run was picked
    assert renewed[NOTES] == [gr.skip()] * 3
    assert not json_of(page.get(ask_of(renewed, "run-log:1")))["renew"]


def test_trends_follow_a_training_without_an_event(page, add_run):
    run_id = add_run((0.3, 0.6))
    shown = trends.show(run_id)
    parts = trends.screen({"run": str(run_id)}).parts
    assert {part.value for part in parts.values()} < set(map(str, shown))
    ask = ask_of(shown, " ".join(f"{name}:{part.version}" for name, part in parts.items()))
    assert json_of(page.get(ask)) == {"parts": {}, "renew": False, "wait_s": live.EVERY_S}
    with db.open_session() as session:
        row = queries.get_iteration(session, run_id=run_id, number=1)
        recording.add_training_step(session, iteration_id=row.id, step=7, metrics={"loss": 0.5})
    news.forget()
    told = json_of(page.get(ask))
    assert set(told["parts"]) == {"training-note", "training-curves"}
    assert "step 7" in told["parts"]["training-note"]
    assert json.loads(told["parts"]["training-curves"])["version"] == f"{run_id}-1-7"
    assert not told["renew"]
    with db.open_session() as session:
        recording.ensure_iteration(session, run_id=run_id, number=2)
    news.forget()
    assert json_of(page.get(ask))["renew"]  # there is more to choose from
    assert not json_of(page.get(ask_of(trends.show(run_id), "")))["renew"]


def test_an_iteration_that_was_picked_is_followed(page, add_run):
    run_id = add_run((0.3, 0.6, 0.7))
    told = json_of(page.get(ask_of(trends.show(run_id, picked=1), "training-note:old")))
    assert "Iteration 1" in told["parts"]["training-note"]


def test_a_score_that_is_corrected_is_drawn_anew(add_run):
    run_id = add_run((0.3, 0.6))
    before = trends.screen({"run": str(run_id)}).parts
    with db.open_session() as session:
        row = queries.get_iteration(session, run_id=run_id, number=1)
        row.pass_at_1 = 0.55
        session.add(row)
        session.commit()
    after = trends.screen({"run": str(run_id)}).parts
    assert "60.0%" in before["trend-head"].value
    assert "55.0%" in after["trend-head"].value
    assert before["trend-charts"].version != after["trend-charts"].version


def test_the_last_drawings_are_kept_and_no_others():
    kept: Kept[int] = Kept(2)
    drawn: list[str] = []

    def of(shows: str) -> int:
        return kept.of(shows, lambda: drawn.append(shows) or len(drawn))

    assert [of(shows) for shows in "abacb"] == [1, 2, 1, 3, 4]


def test_a_crowd_asks_less_often_and_is_renewed_one_after_the_other():
    answers = client_of(Live(Access({}), lambda: {}, {"tab": lambda _: Screen({}, "new")}))
    told = [json_of(answers.get(f"/live?tab=tab&page={n}&mark=old")) for n in range(200)]
    few = int(live.EVERY_S * live.ANSWERS)
    assert [each["wait_s"] for each in told[:few]] == [live.EVERY_S] * few
    assert told[-1]["wait_s"] == min(live.LONGEST_S, 200 / live.ANSWERS) > live.EVERY_S
    assert [n for n, each in enumerate(told) if each["renew"]] == list(range(live.RENEWALS))
    assert json_of(answers.get("/live?tab=tab&page=1&mark=new"))["renew"] is False


def test_where_people_sign_in_nobody_else_is_told_anything():
    access = Access(accounts_of("eve:viewer:eves-secret"))
    answers = Live(access, lambda: {"banner": live.part("secret")}, {})
    page = client_of(answers, cookie_id="1", tokens={"right": "eve", "gone": "adam"})
    assert page.get("/live?have=banner:1").status_code == 401
    for token, status in (("gone", 401), ("wrong", 401), ("right", 200)):
        page.cookies.set("access-token-unsecure-1", token)
        assert page.get("/live?have=banner:1").status_code == status


def test_a_look_without_sense_is_answered_as_none(page):
    for look in ("tab=refine&run=x&iteration=-1", "tab=nowhere", "have=a b c:d", ""):
        assert json_of(page.get(f"/live?{look}"))["parts"] == {}
