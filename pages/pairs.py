"""Pairs: look at what the model learns from, and have the last word on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import api

from codelutra.errors import CodeLutraError
from codelutra.pair_warnings import WARNINGS
from codelutra.records import VerdictKind
from pages import pair_acts, pair_bulk, pair_files, pair_html, pair_list
from pages.format import VERDICTS, text
from pages.pair_look import (
    NOBODY,
    START,
    Look,
    Shown,
    Who,
    address_of,
    first_look,
    load,
    look_of_address,
    turn,
)
from storage import db, pair_queue, pairs, reviews, trials
from storage.db import StorageError
from storage.pair_queue import PairFilter

TICK_S = 1.5
SCRIPT = Path(__file__).parent / "pairs.js"
ANY = ""
STATES = [(word, state) for state, word in pair_html.STATE_WORDS.items()]
ORDERS = [("most doubtful first", "doubt"), ("newest first", "newest"), ("random", "random")]
WRONG = [kind for kind in VERDICTS if kind not in (VerdictKind.CORRECT, VerdictKind.HARNESS_ERROR)]
FILTERS = ("iteration", "state", "rejected_verdict", "warning", "source", "reviewer", "task_id",
           "words", "order")  # fmt: skip


@dataclass(frozen=True)
class PairsTab:
    """What the shell needs of the tab."""

    picker: gr.Dropdown
    timer: gr.Timer
    outputs: list[Any]
    look: gr.State


def list_pairs(run_id: int, state: str = "", order: str = "newest") -> list[dict[str, Any]]:
    """The first pairs of a run: id, iteration, task, verdict, state, warnings."""
    if order not in pair_queue.ORDERS:
        raise gr.Error(f"order is one of {', '.join(pair_queue.ORDERS)}", print_exception=False)
    wanted = PairFilter(run_id, state=state, order=order)  # type: ignore[arg-type]
    with db.open_session() as session:
        return [vars(row) for row in pair_queue.page(session, wanted)]


def pair(pair_id: int) -> dict[str, Any]:
    """A pair: its programs, verdicts, state, version and history."""
    with db.open_session() as session:
        found = pairs.evidence(session, pair_id=pair_id)
        history = reviews.history(session, pair_id=pair_id)
    if found is None:
        raise gr.Error(f"there is no pair {pair_id}", print_exception=False)
    names = ("task_id", "chosen", "rejected", "state", "reason", "reviewer", "version", "doubt",
             "source", "rejected_verdict")  # fmt: skip
    return {
        "id": pair_id,
        **{name: getattr(found.pair, name) for name in names},
        "iteration": found.iteration,
        "warnings": list(found.warnings),
        "solved": [found.num_correct, found.num_graded],
        "history": [
            {"action": e.action, "reviewer": e.reviewer, "reason": e.reason, "note": e.note,
             "at": e.created_at.isoformat(), "undone": e.undone}
            for e in history
        ],
    }  # fmt: skip


def review_pair(
    pair_id: int, version: int, action: str, reviewer: str, reason: str = "", note: str = ""
) -> int:
    """Keep, veto, flip or skip version `version` of a pair. Returns the pair's new version."""
    try:
        return pair_acts.decide(pair_id, version, action, Who(reviewer), reason, note).version
    except StorageError as error:
        raise gr.Error(str(error), print_exception=False) from error


def show(look: Look, seen: Any = None) -> list[Any]:
    """The tab's outputs; skips when the visitor has `seen` this version already."""
    with db.open_session() as session:
        if look.filter.run_id == 0:
            look = first_look(session, who=look.who)
        shown = load(session, look)
        found = shown.evidence.pair if shown.evidence else None
        pair_id = found.id if found and found.id else 0
        history = reviews.history(session, pair_id=pair_id)
        tried = [t for side in ("chosen", "rejected")
                 if (t := trials.of_pair(session, pair_id=pair_id, side=side))]  # fmt: skip
    running = [(t.id, trials.status(t).value) for t in tried]
    version = [
        vars(shown.look.filter), shown.look.pair_id, list(shown.look.pages), shown.counted,
        shown.pending, shown.decided, found and found.version, running,
        found and pairs.held_since(found, look.who.holder) and found.holder,
        [[i.number, bool(i.frozen_review is not None), i.review] for i in shown.iterations],
        [run.id for run in shown.runs], [row.state for row in shown.rows], shown.awaits_review_of,
    ]  # fmt: skip
    version = json.loads(json.dumps(version))  # as it comes back from a visitor's state
    if version == seen:
        return [gr.skip()] * NUM_OUTPUTS
    focus = pair_html.focus(shown, history, tried)
    address = text(json.dumps(address_of(shown.look, shown.counted)))
    return [
        *_pickers(shown),
        pair_list.progress(shown),
        pair_list.table(shown),
        pair_list.where(shown),
        gr.Button(interactive=bool(shown.look.pages)),
        gr.Button(interactive=shown.has_more),
        f'{focus}<i hidden data-address="{address}"></i>',
        pair_list.effects(shown.iterations),
        gr.Column(visible=bool(shown.runs)),
        shown.look,
        version,
    ]


NUM_OUTPUTS = 20


def _pickers(shown: Shown) -> list[Any]:
    wanted = shown.look.filter
    rounds = [("all", ANY), *((str(i.number), str(i.number)) for i in shown.iterations if i.number)]
    warnings = [("all", ANY), *((kind.replace("_", " "), kind) for kind in WARNINGS)]
    verdicts = [("all", ANY), *((VERDICTS[kind].label, kind) for kind in WRONG)]
    sources = [("all", ANY), *((word, kind) for kind, word in pair_html.SOURCES.items())]
    return [
        gr.Dropdown(
            choices=[(f"Run {run.id}: {run.name}", run.id or 0) for run in shown.runs],
            value=shown.run.id if shown.run else None,
            visible=bool(shown.runs),
        ),
        gr.Dropdown(
            choices=rounds, value=str(wanted.iteration) if wanted.iteration is not None else ANY
        ),
        gr.Dropdown(choices=[("all", ANY), *STATES], value=wanted.state),
        gr.Dropdown(choices=verdicts, value=wanted.rejected_verdict),
        gr.Dropdown(choices=warnings, value=wanted.warning),
        gr.Dropdown(choices=sources, value=wanted.source),
        gr.Dropdown(choices=[("all", ANY), *shown.reviewers], value=wanted.reviewer),
        wanted.task_id,
        wanted.words,
        gr.Dropdown(choices=ORDERS, value=wanted.order),
    ]


def act(look: Look, asked: Mapping[str, Any]) -> list[Any]:
    """What a button or key of the focus view does; then the tab as it is."""
    name, token = (str(asked.get(key) or "").strip() for key in ("who", "token"))
    look = replace(look, who=Who(name or NOBODY.name, token))
    try:
        look = pair_acts.act(look, asked)
    except (StorageError, CodeLutraError) as error:
        gr.Warning(text(error))
    with db.open_session() as session:
        shown = load(session, look)
        if shown.look.pair_id and look.who.holder:
            pairs.hold(session, pair_id=shown.look.pair_id, holder=look.who.holder)
    return show(shown.look)


def open_address(params: Mapping[str, str]) -> list[Any]:
    with db.open_session() as session:
        look = look_of_address(session, params)
    return show(look)


def render() -> PairsTab:
    """Lay the tab out."""
    look, version = gr.State(Look(PairFilter(0, **START))), gr.State(None)  # type: ignore[arg-type]
    with gr.Row(equal_height=False, elem_id="pairs-row"):
        with gr.Column(scale=9, min_width=320, elem_id="pair-column"):
            focus = gr.HTML(pair_html.EMPTY, js_on_load=SCRIPT.read_text(), elem_id="pair-focus")
            effects = gr.HTML("", elem_id="pair-effects")
        with gr.Column(scale=4, min_width=300, visible=False, elem_id="pair-side") as side:
            picker = gr.Dropdown(label="Run", choices=[], elem_id="pair-run")
            progress = gr.HTML("", elem_id="pair-progress")
            name = gr.Textbox("desk", label="You review as", max_lines=1, elem_id="reviewer")
            with gr.Accordion("Filter", open=False, elem_id="pair-filter"):
                filters = _filters()
            table = gr.HTML("", js_on_load=OPENS, elem_id="pair-table")
            where = gr.HTML("", elem_id="pair-where")
            with gr.Row(elem_id="pair-pages"):
                back = gr.Button("Previous page", interactive=False, min_width=90)
                on = gr.Button("Next page", interactive=False, min_width=90)
            bulk = pair_bulk.render()
            files = pair_files.render()
    outputs: list[Any] = [picker, *filters, progress, table, where, back, on, focus, effects, side,
                          look, version]  # fmt: skip
    assert len(outputs) == NUM_OUTPUTS
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False

    def on_event(now: Look, event: gr.EventData) -> list[Any]:
        return act(now, event._data)

    def on_filter(values: dict[Component, Any]) -> list[Any]:
        now: Look = values[look]
        chosen: dict[str, Any] = {
            key: values[widget] or "" for key, widget in zip(FILTERS, filters, strict=True)
        }
        number = str(chosen.pop("iteration"))
        wanted = PairFilter(
            now.filter.run_id, iteration=int(number) if number.isdecimal() else None, **chosen
        )
        return show(Look(wanted, who=now.who))

    def on_run(run_id: int | None, now: Look) -> list[Any]:
        with db.open_session() as session:
            return show(first_look(session, run_id, now.who))

    def on_turn(now: Look, *, is_back: bool) -> list[Any]:
        with db.open_session() as session:
            rows = load(session, now).rows
        return show(turn(now, rows, back=is_back))

    timer = gr.Timer(TICK_S, active=False)
    timer.tick(show, [look, version], outputs, **quiet)
    focus.select(on_event, look, outputs, **quiet)
    table.select(on_event, look, outputs, **quiet)
    picker.input(on_run, [picker, look], outputs, **quiet)
    watched: set[Any] = {look, *filters}
    for widget in filters:
        listen = widget.submit if isinstance(widget, gr.Textbox) else widget.input
        listen(on_filter, watched, outputs, **quiet)
    back.click(lambda now: on_turn(now, is_back=True), look, outputs, **quiet)
    on.click(lambda now: on_turn(now, is_back=False), look, outputs, **quiet)
    pair_bulk.wire(bulk, look, name, lambda now: show(now), outputs, quiet)
    pair_files.wire(files, look, timer, quiet)
    api(list_pairs, api_name="pairs")
    api(pair, api_name="pair")
    api(review_pair, api_name="review_pair")
    return PairsTab(picker, timer, outputs, look)


OPENS = (  # a click on a pair's number
    "element.addEventListener('click', event => {"
    "  const button = event.target.closest('button[data-open]');"
    "  if (button) trigger('select', {do: 'open', pair: Number(button.dataset.open)});"
    "});"
)


def _filters() -> list[Any]:
    """In the order of FILTERS."""

    def choice(label: str, choices: list[tuple[str, str]], name: str, value: str = ANY) -> Any:
        return gr.Dropdown(choices, value=value, label=label, min_width=120, elem_id=f"by-{name}")

    every = [("all", ANY)]
    return [
        choice("Iteration", every, "iteration"),
        choice("State", [*every, *STATES], "state", "pending"),
        choice("Verdict of the rejected", every, "verdict"),
        choice("Look twice", every, "warning"),
        choice("Where from", every, "source"),
        choice("Reviewer", every, "reviewer"),
        gr.Textbox(label="Task", placeholder="its id", max_lines=1, elem_id="by-task"),
        gr.Textbox(label="Words", placeholder="in a program or the task's id", max_lines=1,
                   elem_id="by-words"),
        choice("Order", ORDERS, "order", "doubt"),
    ]  # fmt: skip
