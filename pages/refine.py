"""Refine: start a run, see what it is doing, pause, resume or cancel it."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import api

from codelutra.config import STARTER, RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.models import KNOWN_MODELS
from codelutra.tasks import list_task_sets
from pages import form
from pages.before import before
from pages.format import text
from pages.programs import programs
from pages.run_panel import log_tail, panel
from pages.run_view import RunView, first_shown, list_rows, load_view, run_version
from storage import db, jobs
from storage.db import StorageError

TICK_S = 1.5
BEFORE_S = 20.0  # memory that others use changes, and a smoke test tells the time
NUM_OUTPUTS = 9  # picker, panel, controls, programs, log, pause, resume, cancel, version


def list_runs() -> list[dict[str, Any]]:
    """Every run, newest first: id, name, status, iterations."""
    with db.open_session() as session:
        return [
            {"id": r.id, "name": r.name, "status": r.status.value, "iterations": r.iterations}
            for r in list_rows(session)
        ]


def start_run(tasks: str, model: str, iterations: int, settings: dict[str, Any]) -> int:
    """Queue a run; `settings` has paths such as "training.beta". Returns the run's number."""
    try:
        values = {"tasks": tasks, "model": model, "iterations": iterations, **settings}
        return form.queue_run(values)
    except (CodeLutraError, StorageError) as error:
        raise gr.Error(str(error), print_exception=False) from error


def run_status(run_id: int) -> dict[str, Any]:
    """One run: status, phase under way, seconds left, error."""
    with db.open_session() as session:
        view = load_view(session, run_id=run_id)
    if view is None:
        raise gr.Error(f"there is no run {run_id}", print_exception=False)
    now, left = view.progress, view.left
    return {
        "id": run_id,
        "status": view.status.value,
        "iteration": now.iteration if now else None,
        "phase": now.phase if now else None,
        "done": now.done if now else None,
        "total": now.total if now else None,
        "phase_seconds_left": left.phase,
        "run_seconds_left": left.run,
        "error": view.error,
        "log": [message for _, message in view.log],
    }


def show(run_id: int | None, seen: Any = None) -> list[Any]:
    """The run view's outputs; skips when the visitor has `seen` this version already."""
    with db.open_session() as session:
        rows = list_rows(session, wanted=run_id)
        shown = run_id or first_shown(rows)
        version = run_version(session, run_id=shown, rows=rows)
        if version == seen:
            return [gr.skip()] * NUM_OUTPUTS
        view = load_view(session, run_id=shown, rows=rows) if shown else None
    picker = gr.Dropdown(
        choices=[(row.label, row.id) for row in rows],
        value=view.row.id if view else None,
        visible=bool(rows),
    )
    return [
        picker,
        panel(view),
        gr.Column(visible=view is not None),
        programs(view.latest if view else []),
        log_tail(view),
        *_buttons(view),
        version,
    ]


def start(
    values: dict[Component, Any], paths: dict[Component, str], *, smoke: bool = False
) -> list[Any]:
    """A message under the form, and the run view of what was queued."""
    filled = {path: values[widget] for widget, path in paths.items()}
    try:
        run_id = form.queue_run(filled, smoke=smoke)
    except (CodeLutraError, StorageError) as error:
        reason = text(form.in_labels(str(error)))
        message = f'<div class="note bad" role="alert">{reason}. Nothing was started.</div>'
        return [message, *[gr.skip()] * NUM_OUTPUTS]
    message = f'<div class="note good" role="status">Run {run_id} is queued.</div>'
    return [message, *show(run_id)]


def act(action: Callable[[int], None]) -> Callable[[int | None], list[Any]]:
    """A button's handler: ask for the action, then show the run as it is now."""

    def handler(run_id: int | None) -> list[Any]:
        if run_id is None:
            raise gr.Error("choose a run first", print_exception=False)
        try:
            action(run_id)
        except StorageError as error:
            gr.Warning(text(error))
        return show(run_id)

    return handler


def choose_model(model: str | None) -> list[Any]:
    """What is known of the model, and the defaults that depend on it."""
    about = KNOWN_MODELS.get(model or "", "a Hub id, or the path of a local folder")
    defaults = {field.path: field.value for field in form.form_fields(model or STARTER)}
    return [gr.Dropdown(info=about), *(defaults[path] for path in form.model_dependent())]


def render() -> tuple[gr.Dropdown, gr.Timer, Callable[..., list[Any]], list[Component]]:
    """Lay the tab out. Returns the run picker, the timer, the refresh handler and its outputs."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300, elem_classes="form-column"):
            paths, message, start_button, try_button = _form()
        with gr.Column(scale=9, min_width=320, elem_id="run-column"):
            picker = gr.Dropdown(
                label="Run", choices=[], value=None, visible=False, elem_id="run-picker"
            )
            body = gr.HTML(panel(None), elem_id="run-panel")
            with gr.Column(visible=False) as controls:
                with gr.Row(elem_id="run-buttons"):
                    pause = gr.Button("Pause", interactive=False, min_width=90)
                    resume = gr.Button("Resume", interactive=False, min_width=90)
                    cancel = gr.Button("Cancel", interactive=False, min_width=90)
                with gr.Accordion("Latest programs", open=True):
                    latest = gr.HTML("", max_height=420, elem_id="run-programs")
                with gr.Accordion("Log", open=True):
                    log = gr.HTML("", autoscroll=True, max_height=260, elem_id="run-log")
    version = gr.State(None)
    outputs: list[Any] = [picker, body, controls, latest, log, pause, resume, cancel, version]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False  # quick: they need not wait for their turn
    timer = gr.Timer(TICK_S, active=False)  # until the address bar is read
    timer.tick(show, [picker, version], outputs, **quiet)
    picker.input(show, picker, outputs, **quiet)
    pause.click(act(jobs.pause), picker, outputs, **quiet)
    resume.click(act(jobs.resume), picker, outputs, **quiet)
    cancel.click(act(jobs.cancel), picker, outputs, **quiet)
    for button, is_smoke in ((start_button, False), (try_button, True)):
        button.click(
            lambda values, is_smoke=is_smoke: start(values, paths, smoke=is_smoke),
            set(paths),
            [message, *outputs],
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=message,
        ).then(None, js="() => window.codelutra.showRun()")
    api(list_runs, api_name="runs")
    api(start_run, api_name="start_run")
    api(run_status, api_name="run_status")
    return picker, timer, show, outputs


def _form() -> tuple[dict[Component, str], gr.HTML, gr.Button, gr.Button]:
    """The settings, each widget with its path in `RefineConfig`; message, Start, Try one task."""
    sets = list_task_sets()
    tasks = gr.Dropdown(
        sets, value=STARTER, label="Task set", allow_custom_value=True, elem_id="tasks",
        info="a name, or the path of a JSONL file",
    )  # fmt: skip
    model = gr.Dropdown(
        list(KNOWN_MODELS),
        value=STARTER, label="Model", allow_custom_value=True, elem_id="model",
        info=KNOWN_MODELS[STARTER],
    )  # fmt: skip
    iterations = gr.Slider(
        1, 8, value=RefineConfig().iterations, step=1, label="Iterations", elem_id="iterations"
    )
    waits = gr.Checkbox(
        False, label="Pause before training", elem_id="pause-before-training",
        info=RefineConfig.model_fields["pause_before_training"].description,
    )  # fmt: skip
    paths: dict[Component, str] = {
        tasks: "tasks", model: "model", iterations: "iterations", waits: "pause_before_training",
    }  # fmt: skip
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        for field in form.form_fields(STARTER):
            paths[_widget(field)] = field.path
    # Without a trigger it runs when the page is opened: a set may have been imported meanwhile.
    gr.on(
        None,
        lambda: gr.Dropdown(choices=list_task_sets()),
        outputs=tasks,
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    needs, seen = gr.HTML("", elem_id="before"), gr.State(None)

    def refresh(values: dict[Component, Any]) -> list[Any]:
        now = before({path: values[widget] for widget, path in paths.items()})
        return [gr.skip()] * 2 if now == values[seen] else [now, now]

    changes = [getattr(widget, "change") for widget in paths]  # noqa: B009  # not of a Component
    triggers = [*changes, gr.Timer(BEFORE_S).tick]
    for when in (None, triggers):  # when the page is opened, and with what is filled in
        gr.on(
            when,
            refresh,
            {*paths, seen},
            [needs, seen],
            api_visibility="private",
            show_progress="hidden",
            queue=False,
            trigger_mode="always_last",  # while somebody types, only the last change is reckoned
        )
    with gr.Row(elem_id="start-buttons"):
        try_button = gr.Button("Try one task", elem_id="try", min_width=120)
        button = gr.Button("Start", variant="primary", elem_id="start", min_width=120)
    message = gr.HTML("", elem_id="form-message")
    widgets = {path: widget for widget, path in paths.items()}
    changing = [model, *(widgets[path] for path in form.model_dependent())]
    model.input(choose_model, model, changing, api_visibility="private", queue=False)
    return paths, message, button, try_button


def _widget(field: form.FormField) -> Component:
    label: dict[str, Any] = {
        "label": field.label,
        "info": field.info,
        "elem_id": "set-" + field.path.replace(".", "-"),
    }
    if field.choices:
        return gr.Dropdown(list(field.choices), value=field.value, **label)
    if isinstance(field.value, bool):
        return gr.Checkbox(field.value, **label)
    if isinstance(field.value, str):
        return gr.Textbox(field.value, **label)
    return gr.Number(field.value, precision=0 if field.whole else None, **label)


def _buttons(view: RunView | None) -> list[gr.Button]:
    return [
        gr.Button(interactive=bool(view and view.can_pause)),
        gr.Button(interactive=bool(view and view.can_resume)),
        gr.Button(interactive=bool(view and view.can_cancel)),
    ]
