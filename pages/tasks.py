"""Tasks: the sets that are here, whether their golds can be trusted, and what the model reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import api

from codelutra.config import STARTER
from codelutra.errors import CodeLutraError
from codelutra.tasks import list_task_sets
from pages import task_html, task_import
from pages.format import text
from pages.roles import Role, require, require_for_set
from pages.task_list import (
    ANY,
    PAGE,
    STATES,
    Filter,
    Listed,
    about,
    current_findings,
    list_tasks,
    quarantine_problem,
    tags_of,
    tasks_of,
    toggle_quarantine,
)
from storage import checks, db
from storage.db import StorageError
from storage.models import TaskCheck
from storage.run_status import UNDER_WAY, RunStatus

TICK_S = 1.5
NUM_OUTPUTS = 15
CLICKS = (  # of buttons in what the server wrote: {data-NAME: value} becomes the event's data
    "element.addEventListener('click', event => {"
    "  const button = event.target.closest('button[data-task], button[data-quarantine]');"
    "  if (button) trigger('select', { ...button.dataset });"
    "});"
)


@dataclass(frozen=True)
class TasksTab:
    """What the shell needs of the tab."""

    picker: gr.Dropdown
    timer: gr.Timer
    outputs: list[Any]


def task_sets() -> list[str]:
    """Names of the sets a run can use."""
    return list_task_sets()


def check_tasks(tasks: str) -> int:
    """Queue a look at every gold of a set. Returns the check's number."""
    require_for_set(tasks)
    try:
        return checks.submit(tasks=tasks, total=len(tasks_of(tasks)))
    except (CodeLutraError, StorageError) as error:
        raise gr.Error(str(error), print_exception=False) from error


def check_status(check_id: int) -> dict[str, Any]:
    """A check: status, done, total, findings (null until its end)."""
    with db.open_session() as session:
        check = session.get(TaskCheck, check_id)
        if check is None:
            raise gr.Error(f"there is no check {check_id}", print_exception=False)
        status = checks.status(check)
    return {
        "status": status.value,
        "done": check.done,
        "total": check.total,
        "findings": check.findings,
    }


@dataclass(frozen=True)
class Look:
    """What a visitor looks at."""

    tasks: str  # the set
    filter: Filter = field(default_factory=Filter)
    page: int = 0
    shown: str | None = None  # task_id


def show(look: Look, seen: Any = None) -> list[Any]:
    """The tab's outputs; skips when the visitor has `seen` this version already."""
    require_for_set(look.tasks)
    tasks = look.tasks
    try:
        with db.open_session() as session:
            check = checks.newest_check(session, tasks=tasks)
            ended = current_findings(session, tasks=tasks)
            status = checks.status(check) if check else None
            version = [tasks, status, check and check.id, check and check.done]
            if version == seen:
                return [gr.skip()] * NUM_OUTPUTS
            if seen and version[:3] == seen[:3] and check and status:  # only the bar moves
                return _moved(task_html.progress(check, status), version)
            rows = list_tasks(session, tasks=tasks)
        stored = about(tasks)
    except (CodeLutraError, OSError) as error:
        return _broken(tasks, str(error))
    return [
        gr.Dropdown(choices=list_task_sets(), value=tasks),
        task_html.facts(rows, stored),
        task_html.health(rows, check, status, ended),
        *_check_buttons(status),
        *_table(look, rows),
        *_detail(look, rows),
        version,
    ]


def _moved(bar: str, version: list[Any]) -> list[Any]:
    """Nothing is drawn anew that somebody may be reading."""
    return [gr.skip(), gr.skip(), bar, *[gr.skip()] * (NUM_OUTPUTS - 4), version]


def _check_buttons(status: RunStatus | None) -> list[gr.Button]:
    is_busy = status in UNDER_WAY
    return [gr.Button(interactive=not is_busy), gr.Button(visible=is_busy)]


def _table(look: Look, rows: Sequence[Listed]) -> list[Any]:
    tags = tags_of([row.task for row in rows])
    wanted = look.filter if look.filter.tag in tags else replace(look.filter, tag=ANY)
    found = [row for row in rows if wanted.shows(row)]
    page = max(0, min(look.page, (len(found) - 1) // PAGE))
    first = page * PAGE
    return [
        gr.Dropdown(choices=[("all", ANY), *tags], value=wanted.tag),
        task_html.table(found[first : first + PAGE], look.shown),
        task_html.where(first, min(first + PAGE, len(found)), len(found)),
        gr.Button(interactive=page > 0),
        gr.Button(interactive=first + PAGE < len(found)),
        page,
    ]


def _detail(look: Look, rows: Sequence[Listed]) -> list[Any]:
    row = next((row for row in rows if row.task.task_id == look.shown), None)
    is_away = row is not None and row.quarantine is not None
    name = "Release from quarantine" if is_away else "Quarantine this task"
    return [row and look.shown, task_html.detail(row), gr.Button(name, visible=row is not None)]


def _broken(tasks: str, reason: str) -> list[Any]:
    """A set that cannot be read: why, and nothing that belongs to another."""
    note = f'<div class="note bad" role="alert">{text(reason)}</div>'
    picker = gr.Dropdown(choices=list_task_sets(), value=tasks)
    return [picker, note, "", *_check_buttons(None), *_table(Look(tasks), []),
            *_detail(Look(tasks), []), [tasks]]  # fmt: skip


def start_check(look: Look) -> None:
    checks.submit(tasks=look.tasks, total=len(tasks_of(look.tasks)))


def cancel_check(look: Look) -> None:
    with db.open_session() as session:
        check = checks.newest_check(session, tasks=look.tasks)
    if check and check.id:
        checks.cancel(check.id)


def put_away(look: Look) -> None:
    if look.shown:
        with db.open_session() as session:
            toggle_quarantine(session, tasks=look.tasks, task_id=look.shown)


def act(look: Look, action: Callable[[Look], None]) -> list[Any]:
    """A button's handler: do it, then show the tab as it is now."""
    try:
        action(look)
    except (CodeLutraError, StorageError) as error:
        gr.Warning(text(error))
    return show(look)


def render() -> TasksTab:
    """Lay the tab out."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300, elem_classes="form-column"):
            picker = gr.Dropdown(
                list_task_sets(), value=STARTER, label="Task set", elem_id="task-set"
            )
            known = gr.HTML("", elem_id="task-facts")
            health = gr.HTML("", js_on_load=CLICKS, elem_id="task-health")
            with gr.Row():
                check = gr.Button("Check golds", elem_id="check-golds", min_width=90)
                cancel = gr.Button("Cancel", visible=False, elem_id="cancel-check", min_width=90)
            with gr.Accordion("Import a set", open=False, elem_id="import"):
                form = task_import.render()
        with gr.Column(scale=9, min_width=320, elem_id="task-column"):
            with gr.Row(elem_id="task-filter"):
                filters = _filters()
            table = gr.HTML("", js_on_load=CLICKS, elem_id="task-table")
            with gr.Row(elem_id="task-pages"):
                where = gr.HTML("")
                back = gr.Button("Previous", min_width=90, elem_id="previous-tasks")
                on = gr.Button("Next", min_width=90, elem_id="next-tasks")
            detail = gr.HTML(task_html.CHOOSE, elem_id="task-detail")
            away = gr.Button("Quarantine this task", visible=False, elem_id="quarantine")
    page, shown, version = gr.State(0), gr.State(None), gr.State(None)
    split, state, tag, words = filters
    outputs: list[Any] = [picker, known, health, check, cancel, tag, table, where, back, on, page,
                          shown, detail, away, version]  # fmt: skip
    inputs: set[Any] = {picker, *filters, page, shown, version}
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    speaking = {**quiet, "concurrency_limit": None}  # Gradio shows messages of queued events alone
    quiet["queue"] = False

    def look_of(values: dict[Component, Any], **changes: Any) -> Look:
        wanted = Filter(values[split], values[state], values[tag], values[words])
        look = Look(values[picker], wanted, values[page], values[shown])
        return replace(look, **changes)

    def click(values: dict[Component, Any], event: gr.EventData) -> list[Any]:
        look, clicked = look_of(values), event._data
        if "task" in clicked:
            return show(replace(look, shown=clicked["task"]))
        require(Role.CURATOR)
        with db.open_session() as session:
            quarantine_problem(session, tasks=look.tasks, problem=clicked["quarantine"])
        return show(look)

    timer = gr.Timer(TICK_S, active=False)

    def tick(values: dict[Component, Any]) -> list[Any]:
        look, seen = look_of(values), values[version]
        if seen and seen[0] != look.tasks:  # another set is on its way to the browser
            return [gr.skip()] * NUM_OUTPUTS
        return show(look, seen)

    timer.tick(tick, inputs, outputs, **quiet)
    for widget in (picker, split, state, tag):
        widget.input(lambda values: show(look_of(values, page=0)), inputs, outputs, **quiet)
    words.submit(lambda values: show(look_of(values, page=0)), inputs, outputs, **quiet)
    words.blur(lambda values: show(look_of(values, page=0)), inputs, outputs, **quiet)
    for button, step in ((back, -1), (on, 1)):
        button.click(
            lambda values, step=step: show(look_of(values, page=values[page] + step)),
            inputs, outputs, **quiet,
        )  # fmt: skip
    opened = table.select(click, inputs, outputs, **quiet)
    opened.then(None, js="() => window.codelutra.showTask()")
    health.select(click, inputs, outputs, **quiet)
    for button, action in ((check, start_check), (cancel, cancel_check), (away, put_away)):

        def on_act(values: dict[Component, Any], action: Any = action) -> list[Any]:
            return act(look_of(values), action)

        button.click(on_act, inputs, outputs, **speaking)

    def show_imported(values: dict[Component, Any]) -> list[Any]:
        name = values[form.kept]
        return show(look_of(values, tasks=name, page=0)) if name else [gr.skip()] * NUM_OUTPUTS

    form.imported.then(show_imported, inputs | {form.kept}, outputs, **quiet)
    api(task_sets, api_name="task_sets")
    api(check_tasks, api_name="check_tasks")
    api(check_status, api_name="check_status")
    return TasksTab(picker, timer, outputs)


def _filters() -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown, gr.Textbox]:
    splits = [("both", ANY), ("train", "train"), ("held-out", "heldout")]
    states = [(name, key) for key, name in STATES.items()]
    return (
        gr.Dropdown(splits, value=ANY, label="Split", min_width=110, elem_id="filter-split"),
        gr.Dropdown(states, value=ANY, label="State", min_width=130, elem_id="filter-state"),
        gr.Dropdown([("all", ANY)], value=ANY, label="Tag or family", min_width=130,
                    elem_id="filter-tag"),
        gr.Textbox(label="Words", placeholder="in id or prompt", min_width=130,
                   elem_id="filter-words"),
    )  # fmt: skip
