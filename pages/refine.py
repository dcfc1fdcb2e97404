"""Refine: start a run, see what it is doing, pause, resume or cancel it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import api

from codelutra.errors import CodeLutraError
from pages import form, live, place, refine_api, start_form
from pages.format import READING, text
from pages.roles import Role, require
from pages.run_list import config_of_run
from pages.run_news import END_HERE, NUM_OUTPUTS, Look, renew, show
from pages.run_view import load_view
from pages.start_form import QUIET, StartForm
from storage import db, jobs, steering
from storage.db import StorageError

CLICKS = (
    "element.addEventListener('click', (event) => {"
    "  const button = event.target.closest('button[data-at], button[data-run]');"
    "  if (button) trigger('select', { ...button.dataset });"
    "});"
)
SPEAKING = {**QUIET, "queue": True, "concurrency_limit": None}
REMEMBER = "() => window.codelutra.rememberIteration()"


def start(given: dict[Component, Any], made: StartForm, *, smoke: bool) -> list[Any]:
    """A message under the form, and the run view of what was queued."""
    try:
        run_ids = form.queue_runs(made.values(given), smoke=smoke)
    except (CodeLutraError, StorageError) as error:
        reason = text(form.in_labels(str(error)))
        message = f'<div class="note bad" role="alert">{reason}. Nothing was started.</div>'
        return [message, *[gr.skip()] * NUM_OUTPUTS]
    told = f"Run {run_ids[0]} is queued."
    if len(run_ids) > 1:
        told = f"Runs {run_ids[0]} to {run_ids[-1]} are queued, one behind the other."
    message = f'<div class="note good" role="status">{told}</div>'
    return [message, *show(Look(run_ids[0]))]


def act(look: Look, action: Callable[[int], object]) -> list[Any]:
    """A button's handler: ask for the action, then show the run as it is now."""
    if look.run_id is None:
        raise gr.Error("choose a run first", print_exception=False)
    try:
        action(look.run_id)
    except StorageError as error:
        gr.Warning(text(error))  # shown of a queued event alone
    return show(look, keeps_notes=True)


def end_here_or_go_on(run_id: int) -> None:
    with db.open_session() as session:
        is_to_end = jobs.run_or_error(session, run_id).stop_after is not None
    if is_to_end:
        steering.go_on(run_id)
    else:
        steering.stop_after_iteration(run_id)


def clone(run_id: int | None) -> list[Any]:
    """A run's settings, into the form."""
    with db.open_session() as session:
        view = load_view(session, run_id=run_id) if run_id else None
    if view is None:
        raise gr.Error("choose a run first", print_exception=False)
    try:
        config = config_of_run(view)
    except CodeLutraError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return start_form.fill_config(config, f"The settings of run {run_id}. Nothing is started yet.")


@dataclass(frozen=True)
class RefineTab:
    """What is needed around the tab."""

    picker: gr.Dropdown
    look: gr.State
    timer: gr.Timer  # of the form
    outputs: list[Any]


@dataclass(frozen=True)
class _Column:
    """The components that show a run."""

    picker: gr.Dropdown
    words: gr.Textbox
    body: gr.HTML
    queue: gr.HTML
    pause: gr.Button
    resume: gr.Button
    end_here: gr.Button
    cancel: gr.Button
    clone: gr.Button
    tags: gr.Textbox
    note: gr.Textbox
    save: gr.Button
    look: gr.State
    asks: gr.HTML
    outputs: list[Any]  # of `show`


def render() -> RefineTab:
    """Lay the tab out."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300, elem_classes="form-column", elem_id="form-column"):
            made = start_form.render()
        with gr.Column(scale=9, min_width=320, elem_id="run-column"):
            column = _column()
    _wire(column)
    for button, is_smoke in made.buttons:
        queued = button.click(
            lambda given, is_smoke=is_smoke: start(given, made, smoke=is_smoke),
            set(made.widgets.values()),
            [made.message, *column.outputs],
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=made.message,
        )
        queued.then(None, js="() => window.codelutra.showRun()")
    cloned = column.clone.click(clone, column.picker, made.filled, **QUIET)
    cloned.then(None, js="() => window.codelutra.showForm()")
    api(refine_api.list_runs, api_name="runs")
    api(refine_api.start_run, api_name="start_run")
    api(refine_api.run_status, api_name="run_status")
    return RefineTab(column.picker, column.look, made.timer, column.outputs)


def _column() -> _Column:
    with gr.Row(elem_id="run-choice"):
        picker = gr.Dropdown(
            label="Run", choices=[], value=None, visible=False, elem_id="run-picker", scale=3
        )
        words = gr.Textbox(
            label="Find", placeholder="name, tag, note", visible=False, elem_id="run-words", scale=1
        )
    body = gr.HTML(READING, js_on_load=CLICKS + live.on_load("run-panel"), elem_id="run-panel")
    with gr.Column(visible=False) as controls:
        with gr.Row(elem_id="run-buttons"):
            pause = gr.Button("Pause", interactive=False, min_width=90)
            resume = gr.Button("Resume", interactive=False, min_width=90)
            end_here = gr.Button(END_HERE, interactive=False, min_width=190, elem_id="end-here")
            cancel = gr.Button("Cancel", interactive=False, min_width=90)
            copy = gr.Button("Clone into the form", min_width=150, elem_id="clone")
        queue = gr.HTML("", js_on_load=CLICKS + live.on_load("run-queue"), elem_id="run-queue")
        with gr.Accordion("Latest programs", open=True):
            latest = gr.HTML(
                "", max_height=420, js_on_load=live.on_load("run-programs"), elem_id="run-programs"
            )
        with gr.Accordion("Log", open=True):
            log = gr.HTML(
                "", autoscroll=True, max_height=260, js_on_load=live.on_load("run-log"),
                elem_id="run-log",
            )  # fmt: skip
        with gr.Accordion("Settings, tags and note", open=False, elem_id="about-run"):
            settings = gr.HTML("", elem_id="run-settings")
            tags = gr.Textbox(label="Tags", placeholder="words", elem_id="run-tags")
            note = gr.Textbox(label="Note", lines=2, max_lines=8, elem_id="run-note")
            save = gr.Button("Save tags and note", size="sm", elem_id="save-note")
    look, asks = gr.State(Look()), gr.HTML("", js_on_load=live.ON_LOAD_ASKS)
    outputs: list[Any] = [
        picker, body, controls, queue, latest, log, pause, resume, end_here, cancel, copy,
        settings, tags, note, words, look, asks,
    ]  # fmt: skip
    return _Column(picker, words, body, queue, pause, resume, end_here, cancel, copy, tags, note,
                   save, look, asks, outputs)  # fmt: skip


def _wire(column: _Column) -> None:
    of_look = [column.picker, column.look, column.words]

    def look_of(run_id: int | None, look: Look, words: str | None) -> Look:
        """The picker tells the run; an iteration is one of the run that was shown."""
        iteration = look.iteration if run_id == look.run_id else None
        return Look(run_id, iteration, words or "")

    def on_renew(run_id: int | None, look: Look, words: str | None) -> list[Any]:
        return renew(look_of(run_id, look, words))

    def click(run_id: int | None, look: Look, words: str | None, event: gr.EventData) -> list[Any]:
        now, clicked = look_of(run_id, look, words), event._data
        if "run" in clicked:
            require(Role.OWNER)
            moved, by = int(clicked["run"]), int(clicked["by"])
            return act(now, lambda _: steering.move(moved, by=by))
        at = int(clicked["at"])
        return show(replace(now, iteration=None if at == now.iteration else at), keeps_notes=True)

    def save(run_id: int | None, look: Look, words: str | None, tags: str, note: str) -> list[Any]:
        now = look_of(run_id, look, words)
        return act(now, lambda run_id: steering.annotate(run_id, note=note, tags=tags))

    column.asks.renew(on_renew, of_look, column.outputs, **QUIET)
    chosen = column.picker.input(
        lambda *given: show(look_of(*given)), of_look, column.outputs, **QUIET
    )
    chosen.then(None, js=REMEMBER)
    for event in (column.words.submit, column.words.blur):
        event(
            lambda *given: show(look_of(*given), keeps_notes=True),
            of_look, column.outputs, **QUIET,
        )  # fmt: skip
    for part in (column.body, column.queue):
        part.select(click, of_look, column.outputs, **QUIET).then(None, js=REMEMBER)
    for button, action in (
        (column.pause, jobs.pause),
        (column.resume, place.resume),
        (column.end_here, end_here_or_go_on),
        (column.cancel, jobs.cancel),
    ):

        def on_act(run_id: int | None, look: Look, words: str | None, action: Any = action) -> Any:
            return act(look_of(run_id, look, words), action)

        button.click(on_act, of_look, column.outputs, **SPEAKING)
    column.save.click(save, [*of_look, column.tags, column.note], column.outputs, **SPEAKING)
