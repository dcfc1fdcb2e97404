"""The form of Compare: a prompt, the model states, how they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from sqlmodel import Session

from codelutra.config import STARTER
from codelutra.errors import CodeLutraError
from codelutra.tasks import list_task_sets
from pages.compare.ask import OWN, TEXT_ONLY, Wish, some_task, task_of
from pages.compare.states import choices, first_two
from pages.format import text
from pages.roles import Role, caller, require_for_set
from storage import queries
from storage.compare_models import Comparison

KINDS = [("only text, not run", TEXT_ONLY), ("SQL", "sql"), ("Python", "python"),
         ("JavaScript", "javascript")]  # fmt: skip
SPLITS = [("held out: to judge", "heldout"), ("training: for pairs", "train")]
OWN_FIELDS = ("kind", "database", "setup", "gold")


@dataclass(frozen=True)
class Form:
    widgets: dict[str, Any]  # by the name of what they say
    parts: list[gr.Column]  # of a set's task, of a prompt of one's own: one is seen
    states: list[gr.Dropdown]
    ask: gr.Button
    run: gr.Dropdown
    voter: gr.Textbox
    message: gr.HTML

    @property
    def inputs(self) -> set[Any]:
        return {*self.widgets.values(), *self.states}

    @property
    def filled(self) -> list[Any]:
        """In the order of `filled`."""
        widgets = (self.widgets[name] for name in ("tasks", "task_id", "prompt", *OWN_FIELDS))
        return [*self.states, self.run, *widgets, *self.parts]

    def wish(self, values: Mapping[Any, Any]) -> Wish:
        given = {name: values[widget] for name, widget in self.widgets.items()}
        is_drawn = given["mode"] == "samples"
        own = {name: given[name] or "" for name in OWN_FIELDS}
        return Wish(
            prompt=given["prompt"] or "",
            states=[values[widget] or "" for widget in self.states],
            tasks=given["tasks"] or OWN,
            task_id=(given["task_id"] or "").strip(),
            own=own,
            num_samples=int(given["num_samples"] or 0) if is_drawn else 1,
            temperature=given["temperature"] if is_drawn else 0.0,
            top_p=given["top_p"],
            max_new_tokens=int(given["max_new_tokens"] or 0),
            seed=int(given["seed"] or 0),
            is_blind=bool(given["is_blind"]),
        )


def filled(session: Session, like: Comparison | None) -> list[Any]:
    """For `Form.filled`: as a comparison has it, else the newest iteration and its base on some
    held-out task."""
    keys = first_two(session)
    if like and not like.is_blind:
        keys = [column["key"] for column in like.columns]
    *states, run, tasks = renewed(session)[:6]
    for widget, key in zip(states, [*keys, "", "", "", ""], strict=False):
        widget["value"] = key
    newest = next(iter(queries.list_runs(session, limit=1)), None)
    run["value"] = newest.id if newest else None
    tasks["value"], task_id, prompt = _prompt(like)
    own = dict.fromkeys(OWN_FIELDS, "")
    if like and not like.tasks:
        own |= {name: like.task.get(name, "") for name in OWN_FIELDS}
    if caller().role < Role.OWNER:
        own["database"] = ""  # a path of the machine
    parts = [gr.Column(visible=is_set == bool(tasks["value"])) for is_set in (True, False)]
    return [*states, run, tasks, task_id, prompt, *own.values(), *parts]


def renewed(session: Session) -> list[Any]:
    """For `Form.filled`: what there is to choose from now; what was chosen stays."""
    states = [("none", ""), *choices(session)]
    runs = [(f"Run {run.id}: {run.name}", run.id or 0) for run in queries.list_runs(session)]
    sets = [("a prompt of my own", OWN), *((name, name) for name in list_task_sets())]
    return [
        *(gr.update(choices=states) for _ in range(4)),
        gr.update(choices=runs), gr.update(choices=sets),
        *[gr.skip()] * (4 + len(OWN_FIELDS)),
    ]  # fmt: skip


def _prompt(like: Comparison | None) -> tuple[str, str, str]:
    """Set, task and prompt."""
    if like:
        return like.tasks, like.task_id, like.prompt
    task = some_task(STARTER, "heldout")
    return STARTER, task.task_id, task.prompt


def render() -> Form:
    widgets: dict[str, Any] = {}
    widgets["tasks"] = tasks = gr.Dropdown(
        [("a prompt of my own", OWN), (STARTER, STARTER)], value=STARTER, label="Prompt from",
        elem_id="compare-tasks",
    )  # fmt: skip
    with gr.Column(elem_id="compare-of-set") as of_set:
        with gr.Row():
            split = gr.Dropdown(SPLITS, value="heldout", label="Split", min_width=120)
            widgets["task_id"] = task_id = gr.Textbox(
                label="Task", max_lines=1, min_width=120, elem_id="compare-task"
            )
        pick = gr.Button("Another task", elem_id="compare-pick")
    widgets["prompt"] = prompt = gr.Textbox(label="Prompt", lines=6, max_lines=14,
                                            elem_id="compare-prompt")  # fmt: skip
    with gr.Column(visible=False, elem_id="compare-own") as own:
        widgets["kind"] = gr.Dropdown(KINDS, value=TEXT_ONLY, label="Answers are")
        widgets["database"] = gr.Textbox(label="SQLite file (SQL)", max_lines=1)
        widgets["setup"] = gr.Textbox(label="Code that defines the inputs (Python)", lines=2)
        widgets["gold"] = gr.Textbox(
            label="A correct program, if you know one", lines=2,
            info="its result is what is expected; without one answers are run, not judged",
        )  # fmt: skip
    states = []
    for letters in ("AB", "CD"):
        with gr.Row(elem_classes="compare-states"):
            states += [_state(letter) for letter in letters]
    gr.HTML('<p class="faint">Also the folder of an adapter, or <code>http://server:8000/v1 '
            "model</code>.</p>")  # fmt: skip
    widgets["mode"] = mode = gr.Radio(
        [("greedy", "greedy"), ("samples", "samples")], value="greedy", label="Answers",
        elem_id="compare-mode",
    )  # fmt: skip
    with gr.Accordion("Settings", open=False, elem_id="compare-settings"):
        widgets["num_samples"] = gr.Number(5, label="Samples, n", precision=0)
        widgets["temperature"] = gr.Number(1.0, label="Temperature")
        widgets["top_p"] = gr.Number(0.95, label="Top-p")
        widgets["seed"] = gr.Number(0, label="Seed, the same for all columns", precision=0)
        widgets["max_new_tokens"] = gr.Number(96, label="Longest answer, tokens", precision=0)
    widgets["is_blind"] = gr.Checkbox(
        label="Blind: columns have no names until you vote", elem_id="compare-blind"
    )
    button = gr.Button("Compare", variant="primary", elem_id="compare-ask")
    message = gr.HTML("", elem_id="compare-message")
    with gr.Accordion("Votes and pairs", open=False, elem_id="compare-judge"):
        voter = gr.Textbox("desk", label="You vote as", max_lines=1)
        run = gr.Dropdown([], label="Pairs go to", elem_id="compare-run")
    _wire(tasks, of_set, own, split, task_id, prompt, pick, message, mode)
    return Form(widgets, [of_set, own], states, button, run, voter, message)


def _state(letter: str) -> gr.Dropdown:
    return gr.Dropdown(
        [("none", "")], value="", label=f"Column {letter}", allow_custom_value=True, min_width=130,
        elem_id=f"compare-{letter.lower()}",
    )  # fmt: skip


def _wire(
    tasks: Any, of_set: Any, own: Any, split: Any, task_id: Any, prompt: Any, pick: Any,
    message: Any, mode: Any,
) -> None:  # fmt: skip
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False

    def on_pick(name: str, part: str) -> list[Any]:
        require_for_set(name)
        try:
            task = some_task(name, part)
        except (CodeLutraError, OSError) as error:
            return [gr.skip(), gr.skip(), _bad(error)]
        return [task.task_id, task.prompt, ""]

    def on_task(name: str, wanted: str) -> list[Any]:
        require_for_set(name)
        try:
            task = task_of(name, wanted.strip())
        except (CodeLutraError, OSError) as error:
            return [gr.skip(), _bad(error)]
        return [task.prompt, ""]

    def on_tasks(name: str) -> list[Any]:
        return [gr.Column(visible=name != OWN), gr.Column(visible=name == OWN), "", ""]

    pick.click(on_pick, [tasks, split], [task_id, prompt, message], **quiet)
    task_id.submit(on_task, [tasks, task_id], [prompt, message], **quiet)
    tasks.input(on_tasks, tasks, [of_set, own, task_id, prompt], **quiet)


def _bad(error: Exception) -> str:
    return f'<div class="note bad" role="alert">{text(error)}</div>'
