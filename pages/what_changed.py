"""What changed: any two policies on the same held-out tasks, down to the programs of a task."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import gradio as gr
from sqlmodel import Session

from pages import changes_html as html
from pages.comparison import KINDS, Comparison, Policy, compare, parse_policy, policies
from pages.format import caption, text
from storage import db, flips

NUM_OUTPUTS = 9  # section, before, after, by, numbers, tasks, programs, look, version
CLICKS = (
    "element.addEventListener('click', event => {"
    "  const button = event.target.closest('button[data-cell], button[data-changed],"
    " button[data-page]');"
    "  if (button) trigger('select', { ...button.dataset });"
    "});"
)


@dataclass(frozen=True)
class Look:
    """What a visitor looks at; what is empty is chosen for them."""

    before: str = ""  # a policy's code
    after: str = ""
    by: str = ""
    cell: str = ""
    group: str = ""
    page: int = 0
    task: str = ""


def look_of(params: dict[str, str]) -> Look:
    """Of the address bar: ?from=0&to=2&by=database&cell=broken&group=shop&task=q7."""
    names = ("from", "to", "by", "cell", "group", "task")
    before, after, by, cell, group, task = (params.get(name, "") for name in names)
    return Look(before, after, by, cell, group, task=task)


def address_of(look: Look) -> dict[str, str]:
    """The other way; what is empty leaves the address bar."""
    shown = asdict(look)
    shown.pop("page")
    return {"from": shown.pop("before"), "to": shown.pop("after"), **shown}


def changes(run_id: int, before: int, after: int, other_run: int | None = None) -> dict[str, Any]:
    """Two iterations on the same held-out tasks (`after` is of `other_run`, where it is given)."""
    sides = Policy(run_id, before), Policy(other_run or run_id, after)
    with db.open_session() as session:
        found = compare(session, *sides)
    if found is None:
        raise gr.Error("one of the two has no held-out scores", print_exception=False)
    if not found.flips:
        raise gr.Error("the two have no held-out task in common", print_exception=False)
    whole = found.whole
    return {
        "num_tasks": len(found.flips),
        "num_before": found.num_before,
        "num_after": found.num_after,
        "gain": whole.gain,
        "ci95": list(whole.interval),
        "tasks": [{**asdict(flip), "cell": flip.cell} for flip in found.flips],
    }


def show_changes(run_ids: Sequence[int], look: Look | None = None, seen: Any = None) -> list[Any]:
    """The section's outputs; all skip when the visitor has `seen` this version already.

    The first of `run_ids` is the run that is shown. The choice of another run does not carry over.
    """
    run_id = run_ids[0] if run_ids else None
    if seen and seen[0][:1] != tuple(run_ids[:1]):
        look = None
    with db.open_session() as session:
        choices = list(policies(session, run_ids)) if run_ids else []
        if run_id is None or len(choices) < 2:
            hidden = gr.Column(visible=False)
            return [hidden, *[gr.skip()] * (NUM_OUTPUTS - 3), look, None]
        look = _completed(look or Look(), choices, run_id)
        version = (tuple(run_ids), tuple(choices), look)
        if version == seen:
            return [gr.skip()] * NUM_OUTPUTS
        sides = [parse_policy(code, run_id) for code in (look.before, look.after)]
        found = compare(session, sides[0], sides[1]) if sides[0] and sides[1] else None
        assert found, "only scored policies can be chosen"
        bys = [KINDS, *found.breakdowns]
        look = look if look.by in bys else replace(look, by=bys[1] if len(bys) > 1 else KINDS)
        version = (tuple(run_ids), tuple(choices), look)
        named = [(policy.name(run_id), policy.code(run_id)) for policy in choices]
        return [
            gr.Column(visible=True),
            gr.Dropdown(choices=named, value=look.before),
            gr.Dropdown(choices=named, value=look.after),
            gr.Radio(choices=[_by_name(by) for by in bys], value=look.by),
            _numbers(found, look, run_id),
            _tasks(found, look),
            _programs(session, found, look, run_id),
            look,
            version,
        ]


def render_changes() -> list[Any]:
    """Lay the section out: its outputs, what is looked at before the version last."""
    with gr.Column(visible=False, elem_id="what-changed") as section:
        gr.HTML(caption("What changed", "the same held-out tasks, before and after"))
        with gr.Row(elem_id="change-pickers"):
            before = gr.Dropdown([], label="From", min_width=150, elem_id="change-from")
            after = gr.Dropdown([], label="To", min_width=150, elem_id="change-to")
            by = gr.Radio([], label="Broken down by", min_width=260, elem_id="change-by")
        numbers = gr.HTML("", js_on_load=CLICKS, elem_id="changes")
        tasks = gr.HTML("", js_on_load=CLICKS, elem_id="changed-tasks")
        programs = gr.HTML("", elem_id="changed-programs")
    return [section, before, after, by, numbers, tasks, programs, gr.State(None), gr.State(None)]


def wire_changes(
    picker: gr.Dropdown, others: gr.Dropdown, changed: Sequence[Any], quiet: dict[str, Any]
) -> None:
    """The section's own events; its place in the tab's is the tab's matter."""
    _, before, after, by, numbers, tasks, _, look, seen = changed
    state = [picker, others, look, seen]

    def show(run_id: int | None, runs: Sequence[int], look: Look | None, seen: Any) -> list[Any]:
        return show_changes([run_id, *(runs or ())] if run_id else [], look, seen)

    def pick(name: str) -> Callable[..., list[Any]]:
        def picked(run: int, runs: Sequence[int], look: Look, seen: Any, value: str) -> list[Any]:
            changes: dict[str, Any] = {name: value, "page": 0} | (
                {"group": ""} if name == "by" else {}
            )
            return show(run, runs, replace(look, **changes), seen)

        return picked

    def click(
        run: int, runs: Sequence[int], look: Look, seen: Any, event: gr.EventData
    ) -> list[Any]:
        return show(run, runs, clicked(look, event._data), seen)

    chosen = [
        widget.input(pick(name), [*state, widget], changed, **quiet)
        for name, widget in (("before", before), ("after", after), ("by", by))
    ]
    chosen += [part.select(click, state, changed, **quiet) for part in (numbers, tasks)]
    for event in chosen:
        event.then(None, js="() => window.codelutra.rememberChanges()")


def clicked(look: Look, data: dict[str, Any]) -> Look:
    """What is looked at after a click on a number, a task or a page."""
    if "changed" in data:
        return replace(look, task=str(data["changed"]))
    if "page" in data:
        return replace(look, page=int(data["page"]))
    return replace(look, cell=str(data["cell"]), group=str(data["group"]), page=0, task="")


def _completed(look: Look, choices: Sequence[Policy], run_id: int) -> Look:
    """The base and the newest policy of the run, unless scored ones are chosen.

    With one scored policy the other run's newest is what it is compared with.
    """
    mine = [policy for policy in choices if policy.run_id == run_id]
    first, last = (mine[0], mine[-1]) if len(mine) > 1 else (choices[0], choices[-1])
    there = {policy.code(run_id) for policy in choices}
    return replace(
        look,
        before=look.before if look.before in there else first.code(run_id),
        after=look.after if look.after in there else last.code(run_id),
    )


def _by_name(by: str) -> tuple[str, str]:
    return ("error kind" if by == KINDS else by), by


def _numbers(found: Comparison, look: Look, run_id: int) -> str:
    address = text(json.dumps(address_of(look)))
    body = html.sentence(found, run_id)
    if found.flips:
        chosen = look.cell if not look.group else ""
        body += html.matrix(found.whole, chosen) + html.breakdown(found, look.by)
    return f'<section class="panel" data-look="{address}">{body}</section>'


def _tasks(found: Comparison, look: Look) -> str:
    if not found.flips:
        return ""
    if not (look.cell or look.group):
        return '<p class="faint">Choose a number to see its tasks and their programs.</p>'
    title = look.group.replace(">", " → ").replace("_", " ")
    cell = html.TITLES.get(look.cell, "")
    title = ", ".join(part for part in (cell.capitalize(), title) if part)
    mine = found.chosen(look.by, look.group, look.cell)
    return html.task_list(mine, title, look.page, look.task)


def _programs(session: Session, found: Comparison, look: Look, run_id: int) -> str:
    if look.task not in {flip.task_id for flip in found.flips}:
        return ""
    ids = policies(session, sorted({found.before.run_id, found.after.run_id}))
    sides = [
        (
            f"{when}: {policy.name(run_id)}",
            flips.heldout_program(session, iteration_id=ids[policy], task_id=look.task),
        )
        for when, policy in (("Before", found.before), ("After", found.after))
    ]
    return html.programs(look.task, found.tasks.get(look.task), sides)
