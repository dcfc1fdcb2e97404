"""Pairs: look at what the model learns from, and have the last word on it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from codelutra.errors import CodeLutraError
from codelutra.pair_warnings import MEANING
from codelutra.records import VerdictKind
from pages import pair_acts, pair_api, pair_bulk, pair_files, pair_html, pair_list
from pages.format import READING, VERDICTS, text
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
from pages.roles import Role, known_name, require
from storage import db, pairs, reviews, trials
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
    timer: gr.Timer  # of imports; the pairs ask for news themselves, between two keys
    outputs: list[Any]
    look: gr.State


def show(look: Look, seen: Any = None) -> list[Any]:
    """The tab's outputs; each part skips when the visitor has `seen` its version already.

    So nothing is drawn anew that somebody is reading or writing in, while others decide.
    """
    with db.open_session() as session:
        if look.filter.run_id == 0:
            look = first_look(session, who=look.who)
        shown = load(session, look)
        found = shown.evidence.pair if shown.evidence else None
        pair_id = found.id if found and found.id else 0
        history = reviews.history(session, pair_id=pair_id)
        tried = [t for side in ("chosen", "rejected")
                 if (t := trials.of_pair(session, pair_id=pair_id, side=side))]  # fmt: skip
    look = shown.look
    version = _version(shown, [(trial.id, trials.status(trial).value) for trial in tried])
    if version == seen:
        return [gr.skip()] * NUM_OUTPUTS
    old = seen or dict.fromkeys(version)
    parts: dict[str, Callable[[], list[Any]]] = {
        "filter": lambda: _pickers(shown),
        "around": lambda: _around(shown),
        "focus": lambda: [pair_html.focus(shown, history, tried)],
    }
    fresh = [
        part() if version[name] != old[name] else [gr.skip()] * LENGTHS[name]
        for name, part in parts.items()
    ]
    return [*(output for part in fresh for output in part), look, version]


def _version(shown: Shown, tried: Sequence[tuple[int | None, str]]) -> dict[str, Any]:
    """What each part of the tab depends on, as it comes back from a visitor's state."""
    look, found = shown.look, shown.evidence and shown.evidence.pair
    others = found and pairs.held_since(found, look.who.holder) and found.holder
    began = shown.evidence and shown.evidence.has_trained
    version = {
        "filter": [vars(look.filter), [run.id for run in shown.runs], shown.reviewers,
                   len(shown.iterations)],
        "around": [vars(look.filter), look.pair_id, look.pages, shown.counted, shown.pending,
                   shown.decided, [(row.id, row.state, row.reviewer) for row in shown.rows],
                   [i.review for i in shown.iterations]],
        "focus": [shown.run and shown.run.id, look.pair_id, found and found.version, tried, others,
                  began, shown.awaits_review_of, shown.evidence and shown.evidence.warnings],
    }  # fmt: skip
    plain: dict[str, Any] = json.loads(json.dumps(version))
    return plain


def _around(shown: Shown) -> list[Any]:
    address = text(json.dumps(address_of(shown.look, shown.counted)))
    return [
        pair_list.progress(shown),
        pair_list.table(shown),
        f'{pair_list.where(shown)}<i hidden data-address="{address}"></i>',
        gr.Button(interactive=bool(shown.look.pages)),
        gr.Button(interactive=shown.has_more),
        pair_list.effects(shown.iterations),
        gr.Column(visible=bool(shown.runs)),
    ]


LENGTHS = {"filter": 10, "around": 7, "focus": 1}
NUM_OUTPUTS = sum(LENGTHS.values()) + 2  # and the look and its version


def _pickers(shown: Shown) -> list[Any]:
    wanted = shown.look.filter
    rounds = [("all", ANY), *((str(i.number), str(i.number)) for i in shown.iterations if i.number)]
    warnings = [("all", ANY), *((kind.replace("_", " "), kind) for kind in MEANING)]
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


def act(look: Look, seen: Any, asked: Mapping[str, Any]) -> list[Any]:
    """What a button or key of the focus view does; then the tab as it is, and who asked.

    Gradio shows its own messages of queued events alone, so what there is to say is an output.
    """
    name, token = (str(asked.get(key) or "").strip() for key in ("who", "token"))
    name = known_name() or name  # of who signed in, whatever the page says
    who = Who(name[: pair_acts.MAX_NAME] or NOBODY.name, token) if token else look.who
    look, answered = replace(look, who=who), [who, _turn(asked)]
    if asked.get("do") == "tick":
        _hold(look.pair_id, who)
        *parts, first, version = show(look, seen)
        # A person may have changed the filter meanwhile: only a first look is kept.
        return [*parts, gr.skip() if look.filter.run_id else first, version, *answered, gr.skip()]
    said = ""
    if asked.get("do") not in ("open", "next", "back", "all"):
        require(Role.CURATOR)
    try:
        look, message = pair_acts.act(look, asked)
        if message:
            said = f'<div class="note good">{text(message)}</div>'
    except (StorageError, CodeLutraError) as error:
        said = f'<div class="note warn">{text(error)}</div>'
    with db.open_session() as session:
        look = load(session, look).look
    _hold(look.pair_id, who)
    *parts, _, version = show(look, seen)
    return [*parts, look, version, *answered, f'<div role="status">{said}</div>']


def _turn(asked: Mapping[str, Any]) -> str:
    number = asked.get("turn")
    return f'<i hidden data-turn="{number}"></i>' if isinstance(number, int) else ""


def _hold(pair_id: Any, who: Who) -> None:
    if pair_id and who.holder:
        with db.open_session() as session:
            pairs.hold(session, pair_id=int(pair_id), holder=who.holder)


def open_address(params: Mapping[str, str]) -> list[Any]:
    with db.open_session() as session:
        look = look_of_address(session, params)
    return show(look)


def render() -> PairsTab:
    """Lay the tab out."""
    look, version = gr.State(Look(PairFilter(0, **START))), gr.State(None)  # type: ignore[arg-type]
    with gr.Row(equal_height=False, elem_id="pairs-row"):
        with gr.Column(scale=9, min_width=320, elem_id="pair-column"):
            said = gr.HTML("", elem_id="pair-said")
            focus = gr.HTML(READING, js_on_load=SCRIPT.read_text(), elem_id="pair-focus")
            effects = gr.HTML("", elem_id="pair-effects")
            echo = gr.HTML("", elem_id="pair-turn")  # the turn that was answered
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
    outputs: list[Any] = [picker, *filters, progress, table, where, back, on, effects, side, focus,
                          look, version]  # fmt: skip
    assert len(outputs) == NUM_OUTPUTS
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False

    who = gr.State(NOBODY)

    def on_event(now: Look, me: Who, seen: Any, event: gr.EventData) -> list[Any]:
        return act(replace(now, who=me), seen, event._data)

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

    mine = [*outputs, who, echo, said]
    focus.select(on_event, [look, who, version], mine, trigger_mode="multiple", **quiet)
    table.select(on_event, [look, who, version], mine, **quiet)
    picker.input(on_run, [picker, look], outputs, **quiet)
    watched: set[Any] = {look, *filters}
    for widget in filters:
        listen = widget.submit if isinstance(widget, gr.Textbox) else widget.input
        listen(on_filter, watched, outputs, **quiet)
    back.click(lambda now: on_turn(now, is_back=True), look, outputs, **quiet)
    on.click(lambda now: on_turn(now, is_back=False), look, outputs, **quiet)
    pair_bulk.wire(bulk, look, name, lambda now: show(now), outputs, quiet)
    timer = gr.Timer(TICK_S, active=False)
    pair_files.wire(files, look, timer, quiet)
    pair_api.expose()
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
        gr.Textbox(label="Words", placeholder="whole, or begun: minu*", max_lines=1,
                   elem_id="by-words"),
        choice("Order", ORDERS, "order", "doubt"),
    ]  # fmt: skip
