"""Many who look on: one reading for all, and only what changed for each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import gradio as gr

from pages.run_news import NUM_OUTPUTS, Look, RunNews
from pages.shared import Shared
from storage import db, queries

SKIPPED = gr.skip()


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


def test_a_tick_sends_the_changed_parts_alone(add_run):
    run_id = add_run((0.3, 0.6))
    news = RunNews()
    first = news.show(Look(run_id), None)
    assert len(first) == NUM_OUTPUTS
    seen = first[-1]
    assert news.show(Look(run_id), seen) == [SKIPPED] * NUM_OUTPUTS
    with db.open_session() as session:
        queries.add_log(session, run_id=run_id, message="a new line")
    assert news.show(Look(run_id), seen) == [SKIPPED] * NUM_OUTPUTS  # for less than a second
    news.forget()
    second = news.show(Look(run_id), seen)
    sent = [part for part in second[:-2] if part != SKIPPED]
    assert len(sent) == 1
    assert "a new line" in sent[0]
