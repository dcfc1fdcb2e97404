"""Trends: did the run really get better? A point an iteration, with intervals and counts."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
import plotly.graph_objects as go
from gradio.components import Component
from gradio.events import api
from sqlmodel import Session

from pages import charts, live, mix_charts
from pages.ablation import render_ablation, show_ablation
from pages.downloads import render_downloads
from pages.drawings import Place, drawn, render_drawings
from pages.figures import empty_figure
from pages.format import READING
from pages.overlay import MAX_RUNS, RunLine, with_passes
from pages.promotion import promoted
from pages.run_view import newest_gain
from pages.shared import Kept, news
from pages.side_by_side import side_by_side
from pages.training_section import (
    NEWEST,
    Versions,
    followed,
    render_section,
    section_parts,
    show_section,
)
from pages.trend_head import head
from pages.trend_runs import Shown, shown_runs
from pages.trend_table import tables
from pages.what_changed import (
    Look,
    changes,
    look_of,
    render_changes,
    show_changes,
    wire_changes,
)
from storage import db, health, queries
from storage.trend import run_trend

NUM_OUTPUTS = 8  # picker, head, others, figures box, drawings, table, side by side, version
Draw = Callable[[Sequence[RunLine], str], go.Figure]
CHARTS: dict[Place, Draw] = {
    Place("accuracy", "Held-out accuracy", "pass@1, greedy, with its 95 % band"): charts.accuracy,
    Place("verdicts", "Verdicts on held-out tasks", "what became of each program"):
        mix_charts.verdict_mix,
    Place("pass-at-k", "pass@k", "of the programs sampled for training tasks"): charts.pass_at_k,
    Place("syntax", "Syntax errors", "share of programs that do not parse"): charts.syntax_errors,
    Place("time", "Time", "by phase of each iteration"): mix_charts.phase_time,
}  # fmt: skip
_overviews: Kept[live.Parts] = Kept(16)


def trend(run_id: int) -> list[dict[str, Any]]:
    """A run's points, iteration 0 being the base model, and which of them is promoted."""
    with db.open_session() as session:
        _check_run(session, run_id)
        points = run_trend(session, run_id=run_id)
    best = promoted(points)
    return [{**asdict(p), "promoted": bool(best) and p.iteration == best} for p in points]


def training(run_id: int, iteration: int) -> list[dict[str, Any]]:
    """An iteration's optimiser steps with their metrics, thinned to 1,000 where there are more."""
    with db.open_session() as session:
        _check_run(session, run_id)
        row = queries.get_iteration(session, run_id=run_id, number=iteration)
        if row is None or row.id is None:
            raise gr.Error(f"run {run_id} has no iteration {iteration}", print_exception=False)
        steps = queries.training_steps(session, iteration_id=row.id)
    return [{**step.metrics, "step": step.step} for step in steps]


def alerts(run_id: int) -> list[dict[str, Any]]:
    """A run's alerts, newest first: iteration, step, kind, what was seen and what to try."""
    with db.open_session() as session:
        _check_run(session, run_id)
        raised = health.run_alerts(session, run_id=run_id)
    names = ("step", "kind", "seen", "advice")
    return [{"iteration": r.iteration, **r.alert.model_dump(include=set(names))} for r in raised]


def show(
    run_id: int | None,
    others: Sequence[int] | None = (),
    seen: str | None = None,
    look: Look | None = None,
    seen_changes: Any = None,
    picked: int | None = NEWEST,
    seen_section: Versions | None = None,
    seen_group: Any = None,
) -> list[Any]:
    """The tab's outputs; each part skips when the visitor has seen its version already."""
    with db.open_session() as session:
        shown = shown_runs(session, run_id, others)
        mark = shown.mark(session)  # before the rest is read: later news are another mark
        overview = show_overview(session, shown, seen)
    main, beside = shown.main_id, shown.ids[1:]
    return [
        *overview,
        *show_changes(shown.ids, look, seen_changes),
        *show_section(main, picked, seen_section),
        *show_ablation(main, seen_group),
        live.asks(
            "trends", mark, run=main, others=",".join(map(str, beside)) or None,
            iteration=followed(main, picked, seen_section) or None,
        ),
    ]  # fmt: skip


def show_lately(*given: Any) -> list[Any]:
    """`show`, drawn once for all who ask the same at once.

    What visitors have seen is part of what they ask: it is alike for all but the newest.
    """
    key = ("trends", db.current().home, repr(given))
    drawn: list[Any] = news.of(key, lambda: show(*given))
    return drawn


def screen(params: live.Params) -> live.Screen:
    """The same for a page that looks on, as far as it is text or chart."""
    run, others, at = (params.get(name, "") for name in ("run", "others", "iteration"))
    with db.open_session() as session:
        shown = shown_runs(session, _number(run), _numbers(others))
        section = section_parts(session, shown.main_id, _number(at))
        parts = {**overview_parts(session, shown), **section}
        return live.Screen(parts, shown.mark(session))


def show_overview(session: Session, shown: Shown, seen: str | None) -> list[Any]:
    """The outputs that compare the iterations of the runs."""
    if shown.version == seen:
        return [gr.skip()] * NUM_OUTPUTS
    main, beside = shown.main_id, shown.ids[1:]
    choices = [(row.label, row.id) for row in shown.rows]
    others_left = [choice for choice in choices if main and choice[1] != main]
    top, drawings, numbers, compared = overview_parts(session, shown).values()
    return [
        gr.Dropdown(choices=choices, value=main, visible=bool(choices)),
        top.value,
        gr.Dropdown(
            choices=others_left, value=beside or None, multiselect=True, visible=len(choices) > 1
        ),
        gr.Column(visible=any(line.scored for line in shown.lines)),
        drawings.value,
        numbers.value,
        compared.value,
        shown.version,
    ]


def overview_parts(session: Session, shown: Shown) -> live.Parts:
    return _overviews.of((db.current().home, shown.version), lambda: _draw_overview(session, shown))


def _draw_overview(session: Session, shown: Shown) -> live.Parts:
    gain = None
    if shown.lines:
        gain = newest_gain(session, run_id=shown.ids[0], trend=shown.lines[0].points)
    lines = [with_passes(session, line) for line in shown.lines]
    scored = lines[0].scored if lines else []
    return {
        "trend-head": live.part(head(shown.main, scored, gain, shown.raised, shown.failure)),
        "trend-charts": _drawings(lines, shown.version),
        "trend-table": live.part(tables(lines)),
        "side-by-side": live.part(side_by_side(session, lines)),
    }


def _drawings(lines: Sequence[RunLine], version: str) -> live.Part:
    """A zoom is kept for as long as the same runs are shown."""
    if not any(line.scored for line in lines):
        return drawn("none", {})
    of = "-".join(str(line.row.id) for line in lines)
    return drawn(f"{of}-{version}", {place.key: draw(lines, of) for place, draw in CHARTS.items()})


@dataclass(frozen=True)
class TrendsTab:
    """What the shell needs of the tab. `inputs` are the arguments of `show`."""

    picker: gr.Dropdown
    inputs: list[Component]
    outputs: list[Component]


def open_at(run_id: int | None, params: dict[str, str]) -> list[Any]:
    """The tab as an address names it: ?run=3&with=4,5&from=0&to=2&cell=broken&iteration=1"""
    others, picked = _numbers(params.get("with", "")), _number(params.get("iteration", ""))
    return show_lately(run_id, others, None, look_of(params), None, picked or NEWEST)


def render() -> TrendsTab:
    """Lay the tab out."""
    with gr.Row(elem_id="trend-runs"):
        picker = gr.Dropdown(label="Run", choices=[], visible=False, elem_id="trend-picker")
        others = gr.Dropdown(
            label="Overlay", choices=[], multiselect=True, visible=False,
            max_choices=MAX_RUNS - 1, elem_id="trend-others",
        )  # fmt: skip
    top = gr.HTML(READING, js_on_load=live.on_load("trend-head"), elem_id="trend-head")
    with gr.Column(visible=False, elem_id="trend-figures") as figures:
        # Gradio brings Plotly along with its first plot; this one only fetches it.
        gr.Plot(empty_figure(10), visible="hidden")
        drawings = render_drawings(list(CHARTS), "trend-charts", "wide")
        numbers, beside = (
            gr.HTML("", js_on_load=live.on_load(name), elem_id=name)
            for name in ("trend-table", "side-by-side")
        )
        group = render_ablation()
        changed = render_changes()
        section = render_section()
        render_downloads(picker, others)
    version = gr.State(None)
    overview: list[Any] = [picker, top, others, figures, drawings, numbers, beside, version]
    asks = gr.HTML("", js_on_load=live.ON_LOAD_ASKS)
    outputs: list[Any] = [*overview, *changed, *section, *group, asks]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False  # quick: they need not wait for their turn
    iteration, seen_section = section[0], section[-1]
    inputs = [picker, others, version, *changed[-2:], iteration, seen_section, group[-1]]
    asks.renew(show_lately, inputs, outputs, **quiet)
    for widget in (picker, others):
        chosen = widget.input(show, inputs, outputs, **quiet)
        chosen.then(
            None, others, js="runs => window.codelutra.remember({with: (runs ?? []).join(',')})"
        )
        chosen.then(None, js="() => window.codelutra.rememberChanges()")
    picked = iteration.input(show, inputs, outputs, **quiet)
    picked.then(None, iteration, js="iteration => window.codelutra.remember({iteration})")
    wire_changes(picker, others, changed, quiet)
    api(trend, api_name="trend")
    api(training, api_name="training")
    api(alerts, api_name="alerts")
    api(changes, api_name="changes")
    return TrendsTab(picker, inputs, outputs)


def _numbers(listed: str) -> list[int]:
    return [int(each) for each in listed.split(",") if each.isdecimal()]


def _number(given: str) -> int | None:
    return int(given) if given.isdecimal() else None


def _check_run(session: Session, run_id: int) -> None:
    if queries.get_run(session, run_id=run_id) is None:
        raise gr.Error(f"there is no run {run_id}", print_exception=False)
