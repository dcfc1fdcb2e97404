"""Compare: one prompt to two to four model states, side by side, with the proof of who answered.

The worker answers and writes down what is said; this page only reads it, several times a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from codelutra.errors import CodeLutraError
from pages.compare import api, batch, form, history, html, pairs, serve
from pages.compare.ask import again, ask
from pages.compare.form import Form
from pages.compare.proof import Shown
from pages.compare.serve import engine_line
from pages.format import text
from pages.roles import known_name
from storage import comparisons, db, engines
from storage.db import StorageError

TICK_S = 0.4
SCRIPT = Path(__file__).parent / "compare.js"
OPENS = (  # a click on a comparison's number, or on older ones
    "element.addEventListener('click', event => {"
    "  const button = event.target.closest('[data-open], [data-older]');"
    "  if (button) trigger('select', {open: Number(button.dataset.open ?? 0),"
    "    older: Number(button.dataset.older ?? 0)});"
    "});"
)


@dataclass(frozen=True)
class CompareTab:
    """What the shell needs of the tab."""

    timer: gr.Timer
    outputs: list[Any]
    seen: gr.State


def load(comparison_id: int) -> tuple[str, list[Any]]:
    """The view, and what it was made of; whoever loads it keeps it going."""
    with db.open_session() as session:
        row = comparisons.get(session, comparison_id=comparison_id)
        if row is None:
            return html.EMPTY, [0]
        if row.finished_at is None or (row.wants_probe and row.probe is None):
            comparisons.mark_seen(session, comparison_id=comparison_id)
        answers = comparisons.answers(session, comparison_id=comparison_id)
        vote = comparisons.get_vote(session, comparison_id=comparison_id)
    status = comparisons.status(row)
    failed = comparisons.error(row) if status == "failed" else ""
    pair_note, pair_version = pairs.note(comparison_id)
    version = [
        comparison_id, status.value, row.note, row.wants_probe, bool(row.probe), bool(vote),
        pair_version, [[a.state, len(a.text), bool(a.result)] for a in answers],
    ]  # fmt: skip
    shown = Shown(row, answers, vote, status, failed, pair_note)
    return html.view(shown), version


def poll(comparison_id: int, seen: Any) -> list[Any]:
    """The view, what it was made of, and the engine's state; skips what has not changed."""
    with db.open_session() as session:
        engine = engine_line(engines.get(session))
    old = seen or [None, None]
    view, version = load(comparison_id)
    return [
        gr.skip() if version == old[0] else view,
        gr.skip() if engine == old[1] else engine,
        gr.skip() if [version, engine] == old else [version, engine],
    ]


def act(
    comparison_id: int, run_id: int | None, voter: str, asked: Mapping[str, Any]
) -> tuple[int, str]:
    """What a button in the view does: the comparison that is shown then, and what is to be said."""
    shown = int(asked.get("id") or comparison_id)
    try:
        match asked.get("do"):
            case "pair":
                chosen, rejected = int(asked["chosen"]), int(asked["rejected"])
                pairs.make_pair(shown, run_id, chosen, rejected)
            case "vote":
                with db.open_session() as session:
                    comparisons.vote(
                        session, comparison_id=shown, choice=str(asked["choice"]),
                        voter=known_name() or voter.strip()[:60] or "desk",
                    )  # fmt: skip
            case "again":
                with db.open_session() as session:
                    row = comparisons.get(session, comparison_id=shown)
                    return (again(session, row) if row else shown), ""
            case "stop":
                with db.open_session() as session:
                    comparisons.stop(session, comparison_id=shown)
            case "probe":
                with db.open_session() as session:
                    comparisons.ask_probe(session, comparison_id=shown)
    except (StorageError, CodeLutraError, ValueError, KeyError) as error:
        return shown, _bad(error)
    return shown, ""


def open_address(params: Mapping[str, str]) -> list[Any]:
    """The tab's outputs, as the address says."""
    wanted = params.get("comparison", "")
    comparison_id = int(wanted) if wanted.isdecimal() else 0
    view, engine, seen = poll(comparison_id, None)
    with db.open_session() as session:
        lists = [history.table(session), history.win_rates(session)]
        like = comparisons.get(session, comparison_id=comparison_id)
        fields = form.filled(session, like)
        served = serve.how_to(session)
    return [comparison_id, view, engine, *lists, *fields, batch.sets(), served, seen]


def renew() -> list[Any]:
    """The tab's outputs when it comes into sight again: what has been trained meanwhile."""
    with db.open_session() as session:
        lists = [history.table(session), history.win_rates(session)]
        fields = form.renewed(session)
        served = serve.how_to(session)
    return [*[gr.skip()] * 3, *lists, *fields, batch.sets(), served, gr.skip()]


def render() -> CompareTab:
    """Lay the tab out."""
    shown, seen = gr.State(0), gr.State(None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            asking = form.render()
            engine = gr.HTML("", elem_id="engine-state")
        with gr.Column(scale=9, min_width=320):
            view = gr.HTML(html.EMPTY, js_on_load=SCRIPT.read_text(), elem_id="compare-view")
            with gr.Accordion("History", open=False, elem_id="compare-history"):
                words = gr.Textbox(label="Words of a prompt, a task or an answer", max_lines=1)
                earlier = gr.HTML("", js_on_load=OPENS, elem_id="compare-table")
                kind = gr.Radio(["jsonl", "csv"], value="jsonl", label="As a file")
                make = gr.Button("Make the file")
                download = gr.DownloadButton("Download", visible=False)
            with gr.Accordion("Win rates of blind votes", open=False, elem_id="compare-rates"):
                rates = gr.HTML("")
            many = batch.render()
            served = serve.render()
    timer = gr.Timer(TICK_S, active=False)
    outputs: list[Any] = [shown, view, engine, earlier, rates, *asking.filled, many.tasks, served,
                          seen]  # fmt: skip
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False
    live = [view, engine, seen]
    timer.tick(poll, [shown, seen], live, **quiet)
    _wire(asking, shown, live, quiet)

    def on_event(now: int, run_id: int | None, who: str, event: gr.EventData) -> list[Any]:
        now, said = act(now, run_id, who, event._data)
        with db.open_session() as session:
            fresh = [history.table(session), history.win_rates(session)]
        return [now, *poll(now, None), *fresh, said]

    asked = [shown, *live, earlier, rates, asking.message]
    view.select(on_event, [shown, asking.run, asking.voter], asked, **quiet)

    def on_history(found: str, event: gr.EventData) -> list[Any]:
        number = int(event._data.get("open") or 0)
        if number:
            return [number, *poll(number, None), gr.skip()]
        before = int(event._data.get("older") or 0) or None
        with db.open_session() as session:
            return [*[gr.skip()] * 4, history.table(session, found, before)]

    def on_words(found: str) -> str:
        with db.open_session() as session:
            return history.table(session, found)

    def on_make(suffix: str, found: str) -> Any:
        with db.open_session() as session:
            path, number = history.export(session, suffix, found)
        return gr.DownloadButton(f"Download {number} comparisons", value=str(path), visible=True)

    earlier.select(on_history, words, [shown, *live, earlier], **quiet)
    words.submit(on_words, words, earlier, **quiet)
    make.click(on_make, [kind, words], download, **quiet)
    batch.wire(many, asking.states, asking.run, timer, quiet)
    api.expose()
    return CompareTab(timer, outputs, seen)


def _wire(asking: Form, shown: gr.State, live: list[Any], quiet: dict[str, Any]) -> None:
    def on_ask(values: dict[Any, Any]) -> list[Any]:
        try:
            with db.open_session() as session:
                number = ask(session, asking.wish(values))
        except (CodeLutraError, StorageError, OSError) as error:
            return [gr.skip(), *[gr.skip()] * len(live), _bad(error)]
        return [number, *poll(number, None), ""]

    asking.ask.click(on_ask, asking.inputs, [shown, *live, asking.message], **quiet)


def _bad(error: Exception) -> str:
    return f'<div class="note bad" role="alert">{text(error)}</div>'
