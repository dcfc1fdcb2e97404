"""The form that imports a task set: from a file or a path, looked at before it is kept."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from codelutra.errors import CodeLutraError
from codelutra.tasks.stored import ImportOptions, import_set, preview_set
from pages import task_html
from pages.format import count, text


@dataclass(frozen=True)
class ImportForm:
    """What the tab needs of it: the end of an import, and the name under which it kept a set."""

    imported: Dependency
    kept: gr.State  # '' when nothing was kept


def read(values: dict[str, Any]) -> tuple[str, str, ImportOptions]:
    """Source, name and options that the form says; raises CodeLutraError."""
    given = values["upload"] or (values["path"] or "").strip()
    if not given:
        raise CodeLutraError("choose a file, or write the path of one")
    source = str(given)
    options = ImportOptions(
        heldout_share=values["heldout"] / 100,
        split_by=values["split_by"],
        seed=int(values["seed"] or 0),
        match=values["match"],
        template=values["template"] or "",
        drop_leaks=values["drop_leaks"],
        columns=columns_of(values["columns"] or ""),
    )
    return source, (values["name"] or "").strip() or name_of(source), options


def columns_of(lines: str) -> dict[str, str]:
    """From lines such as `prompt = question`; raises CodeLutraError."""
    columns = {}
    for line in filter(str.strip, lines.splitlines()):
        field, separator, column = line.partition("=")
        if not separator or not column.strip():
            raise CodeLutraError(f"columns: {line!r} is no `field = column`")
        columns[field.strip()] = column.strip()
    return columns


def name_of(source: str) -> str:
    stem = Path(source).name.split(".")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:60]


def look(values: dict[str, Any]) -> list[Any]:
    """The message, the template, the name and the prompts of a set that is not kept."""
    try:
        source, name, options = read(values)
        prepared = preview_set(source, options)
    except (CodeLutraError, OSError) as error:
        return [_bad(error, "Nothing was read."), gr.skip(), gr.skip(), ""]
    shown = task_html.preview(prepared.tasks, prepared.stored)
    note = '<div class="note">Not kept yet: look at the prompts, then import.</div>'
    return [note, prepared.stored.options.template, name, shown]


def keep(values: dict[str, Any]) -> list[Any]:
    """The message, the name under which it is kept ('' when it is not) and no preview."""
    try:
        source, name, options = read(values)
        _, tasks = import_set(source, name, options)
    except (CodeLutraError, OSError) as error:
        return [_bad(error, "Nothing was kept."), gr.skip(), "", gr.skip()]
    note = f"{count(len(tasks))} tasks are kept as {text(name)}. Check their golds before a run."
    return [f'<div class="note good" role="status">{note}</div>', name, name, ""]


def _bad(error: Exception, kept: str) -> str:
    return f'<div class="note bad" role="alert">{text(error)}. {kept}</div>'


def render() -> ImportForm:
    widgets: dict[str, Component] = {
        "upload": gr.File(
            label="File: .json, .jsonl, .jsonl.gz, or .zip or .tar of a folder", height=110,
            elem_id="import-file",
        ),
        "path": gr.Textbox(
            label="or a path on this machine, or on the Hub",
            placeholder="/data/spider, hub:OWNER/NAME/FILE", elem_id="import-path"
        ),
        "name": gr.Textbox(label="Name", placeholder="of the file", elem_id="import-name"),
    }  # fmt: skip
    with gr.Accordion("Split, comparison, prompt", open=False, elem_id="import-options"):
        widgets |= {
            "heldout": gr.Slider(0, 100, value=30, step=1, label="Held out, %"),
            "split_by": gr.Dropdown(
                ["family", "task"], value="family", label="Split by",
                info="family (a database) keeps related tasks on one side",
            ),
            "seed": gr.Number(0, label="Seed", precision=0),
            "match": gr.Dropdown(
                ["exact", "bird", "spider"], value="exact", label="Rows are compared",
                info="our way, or as those benchmarks do",
            ),
            "drop_leaks": gr.Checkbox(label="Leave out tasks that give a held-out one away"),
            "columns": gr.Textbox(
                label="Columns", lines=2, elem_id="import-columns", placeholder="prompt = question",
                info="only for files with columns of their own; kind = =sql is a constant",
            ),
            "template": gr.Textbox(
                label="Prompt template", lines=4, max_lines=12, elem_id="import-template",
                info="{parts} are replaced; empty: the format's own, shown by a preview",
            ),
        }  # fmt: skip
    message = gr.HTML("", elem_id="import-message")
    with gr.Row():
        preview = gr.Button("Preview", elem_id="import-preview", min_width=90)
        button = gr.Button("Import", variant="primary", elem_id="import-button", min_width=90)
    shown = gr.HTML("", elem_id="import-shown")
    name = widgets["name"]
    kept = gr.State("")

    def by_name(values: dict[Component, Any]) -> dict[str, Any]:
        return {key: values[widget] for key, widget in widgets.items()}

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    quiet["show_progress_on"] = message
    preview.click(
        lambda values: look(by_name(values)), set(widgets.values()),
        [message, widgets["template"], name, shown], **quiet,
    )  # fmt: skip
    done = button.click(
        lambda values: keep(by_name(values)), set(widgets.values()),
        [message, name, kept, shown], **quiet,
    )  # fmt: skip
    return ImportForm(done, kept)
