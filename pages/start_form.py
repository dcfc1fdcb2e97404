"""The form of the Refine tab: presets, settings, what they need, and the buttons that start.

Every setting that is shown takes its help from its own description in `RefineConfig`.
"""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from codelutra.config import STARTER, RefineConfig, default_home, home
from codelutra.config_rows import config_rows, differences
from codelutra.config_text import command_of, config_of, read_yaml, to_yaml
from codelutra.errors import CodeLutraError
from codelutra.models import KNOWN_MODELS
from codelutra.presets import PRESETS
from codelutra.tasks import list_task_sets
from pages import form, place, vary_form
from pages.before import before
from pages.format import text
from pages.roles import Role, caller
from storage.db import StorageError

BEFORE_S = 20.0  # memory that others use changes, and a smoke test tells the time
FIRST_PRESET = "starter"
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
Values = dict[Component, Any]


@dataclass(frozen=True)
class StartForm:
    """What the rest of the tab needs of it."""

    preset: gr.Radio
    widgets: dict[str, Component]  # by path in RefineConfig, and the two of `form`
    message: gr.HTML
    buttons: tuple[tuple[gr.Button, bool], ...]  # with whether it queues a smoke test
    timer: gr.Timer  # for who may start a run

    @property
    def filled(self) -> list[Component]:
        """The outputs of `fill`."""
        return [*self.widgets.values(), self.preset, self.message]

    def values(self, given: Values) -> dict[str, Any]:
        return {path: given[widget] for path, widget in self.widgets.items()}


def fill(values: dict[str, Any], preset: str | None, message: str = "") -> list[Any]:
    """All of the form, in the order of `StartForm.filled`."""
    about = KNOWN_MODELS.get(values["model"], "a Hub id, or the path of a local folder")
    shown = values | {
        "model": gr.Dropdown(value=values["model"], info=about),
    }
    return [*(shown[path] for path in _paths()), preset, message]


def fill_config(config: RefineConfig, told: str) -> list[Any]:
    """The settings of a file or a run; `told` says whose they are."""
    message = f'<div class="note good" role="status">{text(told)}</div>'
    return fill(form.form_values(config), None, message)


def choose_preset(key: str, tasks: str, model: str) -> list[Any]:
    return fill(form.preset_values(key, tasks or STARTER, model or STARTER), key)


def choose_model(model: str | None, tasks: str, key: str | None) -> list[Any]:
    """What is known of the model, and the defaults that depend on it."""
    about = KNOWN_MODELS.get(model or "", "a Hub id, or the path of a local folder")
    name = model or STARTER
    config = PRESETS[key].config(tasks or STARTER, name) if key else RefineConfig.for_model(name)
    defaults = form.form_values(config)
    return [gr.Dropdown(info=about), *(defaults[path] for path in form.model_dependent())]


def load_file(path: str) -> list[Any]:
    """A settings file, into the form."""
    name = Path(path).name
    try:
        config = config_of(read_yaml(Path(path).read_text("utf-8", "replace"), name))
        return fill_config(config, f"The settings of {name}. Nothing is started yet.")
    except CodeLutraError as error:
        message = f'<div class="note bad" role="alert">{text(error)}. Nothing was changed.</div>'
        return [*[gr.skip()] * (len(_paths()) + 1), message]


def preset_note(key: str | None, values: dict[str, Any]) -> str:
    """What one learns of it, what it costs, and what is not as it says any more."""
    if not key:
        return ""
    preset = PRESETS[key]
    note = f"<p>{text(preset.learns)}</p><p><b>Cost:</b> {text(preset.costs)}</p>"
    try:
        wanted, configs = preset.config(values["tasks"], values["model"]), form.configs_of(values)
        changed = differences([wanted, form.build_config(values)])
    except (CodeLutraError, StorageError, ValueError):  # what is wrong is told by Start
        return f'<div class="preset-note">{note}</div>'
    words = [f"{form.LABELS.get(d.path, d.path)} is {d.values[1]}" for d in changed]
    if len(configs) == 1 and preset.grid:
        words.append("nothing is varied")
    more = f'<p class="changed">Changed: {text("; ".join(words))}.</p>' if words else ""
    return f'<div class="preset-note">{note}{more}</div>'


def same_elsewhere(configs: list[RefineConfig]) -> str:
    """The command lines that do the same, and the settings as a file each."""
    lines = "\n".join(_unbroken(command_of(config)) for config in configs)
    files = [
        f'<a class="file" download="{text(_file_name(config))}" '
        f'href="data:application/yaml;base64,{b64encode(to_yaml(config).encode()).decode()}">'
        f"Save as YAML{f' ({number})' if len(configs) > 1 else ''}</a>"
        for number, config in enumerate(configs, 1)
    ]
    place = "" if home() == default_home() else f"<p>where CODELUTRA_HOME is {text(home())}</p>"
    return (
        f'<div class="same"><pre class="code" tabindex="0">{lines}</pre>'
        f'<div><button class="small" type="button" data-copy>Copy</button>{"".join(files)}</div>'
        f"{place}</div>"
    )


def _unbroken(line: str) -> str:
    """Words in elements of their own: a browser breaks a line in the middle of --set else."""
    return " ".join(f"<span>{text(word)}</span>" for word in line.split(" "))


def render() -> StartForm:
    """Lay the form out."""
    can_run = place.can_run()
    if not can_run:
        gr.HTML(place.notice())
    preset = gr.Radio(
        [(preset.name, key) for key, preset in PRESETS.items()], value=FIRST_PRESET,
        label="Start from", elem_id="preset",
    )  # fmt: skip
    note = gr.HTML(preset_note(FIRST_PRESET, _first_values()), elem_id="preset-note")
    widgets = _widgets()
    message = gr.HTML("", elem_id="form-message")
    needs = gr.HTML("", elem_id="before")
    with gr.Row(elem_id="start-buttons"):
        try_button = gr.Button("Try one task", elem_id="try", min_width=120, interactive=can_run)
        button = gr.Button(
            "Start", variant="primary", elem_id="start", min_width=120, interactive=can_run
        )
    with gr.Accordion("As a command or a file", open=False, elem_id="elsewhere"):
        same = gr.HTML("", elem_id="same")
        file = gr.UploadButton(
            "Load settings from YAML", file_types=[".yaml", ".yml"], size="sm", elem_id="load-file"
        )
    buttons = ((button, False), (try_button, True))
    made = StartForm(preset, widgets, message, buttons, gr.Timer(BEFORE_S, active=False))
    _follow(made, note, needs, same)
    chosen = [preset, widgets["tasks"], widgets["model"]]
    preset.input(choose_preset, chosen, made.filled, **QUIET)
    file.upload(load_file, file, made.filled, **QUIET)
    model = widgets["model"]
    changing = [model, *(widgets[path] for path in form.model_dependent())]
    chosen_model = getattr(model, "input")  # noqa: B009  # not of a Component
    chosen_model(choose_model, [model, widgets["tasks"], preset], changing, **QUIET)
    return made


def _follow(made: StartForm, note: gr.HTML, needs: gr.HTML, same: gr.HTML) -> None:
    """What is said of the settings follows them, and what the machine has free."""
    seen = gr.State(None)

    def refresh(given: Values) -> list[Any]:
        if caller().role < Role.OWNER:  # who starts nothing has no need to look into folders
            return [gr.skip()] * 4
        values = made.values(given)
        now = (preset_note(given[made.preset], values), before(values), _same(values))
        return [gr.skip()] * 4 if now == given[seen] else [*now, now]

    widgets = [made.preset, *made.widgets.values()]
    changes = [getattr(widget, "change") for widget in widgets]  # noqa: B009  # not of a Component
    triggers = [*changes, made.timer.tick]
    for when in (None, triggers):  # when the page is opened, and with what is filled in
        gr.on(
            when,
            refresh,
            {*widgets, seen},
            [note, needs, same, seen],
            trigger_mode="always_last",  # while somebody types, only the last change is reckoned
            **QUIET,
        )


def _same(values: dict[str, Any]) -> str:
    try:
        return same_elsewhere(form.configs_of(values))
    except (CodeLutraError, StorageError) as error:
        return f'<p class="faint">{text(error)}</p>'


def _widgets() -> dict[str, Component]:
    """Those of `form_values`, in its order."""
    values = _first_values()
    tasks = gr.Dropdown(
        list_task_sets(), value=values["tasks"], label="Task set", allow_custom_value=True,
        elem_id="tasks", info="a name, or the path of a JSONL file",
    )  # fmt: skip
    model = gr.Dropdown(
        list(KNOWN_MODELS), value=values["model"], label="Model", allow_custom_value=True,
        elem_id="model", info=KNOWN_MODELS[STARTER],
    )  # fmt: skip
    about = RefineConfig.model_fields
    iterations = gr.Slider(
        0, 8, value=values["iterations"], step=1, label="Iterations", elem_id="iterations",
        info=about["iterations"].description,
    )  # fmt: skip
    waits = gr.Checkbox(
        False, label="Pause before training", elem_id="pause-before-training",
        info=about["pause_before_training"].description,
    )  # fmt: skip
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        advanced = {field.path: _widget(field) for field in form.form_fields(STARTER)}
        more = gr.Textbox(
            "", label="Other settings", lines=2, elem_id="other-settings",
            info="NAME=VALUE, one a line; these have no field of their own:",
        )  # fmt: skip
        gr.HTML(_other_settings())
    # Without a trigger it runs when the page is opened: a set may have been imported meanwhile.
    gr.on(None, lambda: gr.Dropdown(choices=list_task_sets()), outputs=tasks, **QUIET)
    known = (
        {
            "tasks": tasks,
            "model": model,
            "iterations": iterations,
            "pause_before_training": waits,
            form.MORE: more,
        }
        | advanced
        | vary_form.fields()
    )
    return {path: known[path] for path in _paths()}


def _other_settings() -> str:
    """Name and description of each setting without a field."""
    rows = [
        f"<dt>{text(path)}</dt><dd>{text(about)}</dd>"
        for path, _, about in config_rows(RefineConfig())
        if path not in form.LABELS
    ]
    return (
        '<details class="other-settings"><summary>What there is</summary>'
        f"<dl>{''.join(rows)}</dl></details>"
    )


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


def _paths() -> list[str]:
    return [*form.LABELS, *form.OF_FORM]


def _first_values() -> dict[str, Any]:
    return form.form_values(PRESETS[FIRST_PRESET].config(STARTER, STARTER))


def _file_name(config: RefineConfig) -> str:
    model = config.model.rstrip("/").rsplit("/", 1)[-1]
    return f"codelutra-{model}.yaml"
