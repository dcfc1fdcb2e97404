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
from pages.alerts import NO_ALERT, alert_list
from pages.caveats import caveats
from pages.downloads import render_downloads
from pages.drawings import Place, drawn, render_drawings
from pages.figures import empty_figure
from pages.format import chip, interval, percent, points, signed_interval, text
from pages.overlay import MAX_RUNS, RunLine, with_passes
from pages.promotion import promoted, promotion
from pages.run_view import Gain, RunRow, newest_gain
from pages.shared import news
from pages.side_by_side import side_by_side
from pages.training_section import NEWEST, Versions, render_section, show_section
from pages.trend_runs import mark_of, shown_runs
from pages.trend_table import tables
from pages.what_changed import (
    Look,
    changes,
    look_of,
    render_changes,
    show_changes,
    wire_changes,
)
from storage import db, health, jobs, queries
from storage.health import RaisedAlert
from storage.run_status import STOPPED, RunStatus
from storage.trend import TrendPoint, run_trend

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

EMPTY = """<section class="panel empty" data-state="empty"><h3>No run yet</h3>
<p>Start one on the Refine tab. Its first point, the base model, shows here within a few minutes;
each iteration adds one.</p></section>"""


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


def head(
    row: RunRow | None,
    scored: Sequence[TrendPoint],
    gain: Gain | None,
    raised: Sequence[RaisedAlert] = (),
) -> str:
    """The alerts, and what the charts below say in two or three sentences."""
    if row is None:
        return EMPTY
    return (
        f'<section class="panel" data-state="{text(row.status)}" data-points="{len(scored)}">'
        f'<header class="run-head"><h3>Run {row.id}: {text(row.name)}</h3>{chip(row.status)}'
        f'</header>{_failure(row)}<div class="note">{_summary(row, scored, gain)}</div>'
        f"{caveats(row)}"
        f"{alert_list(raised) or _no_alert(scored)}</section>"
    )


def show(
    run_id: int | None,
    others: Sequence[int] | None = (),
    seen: Any = None,
    look: Look | None = None,
    seen_changes: Any = None,
    picked: int | None = NEWEST,
    seen_section: Versions | None = None,
    seen_group: Any = None,
) -> list[Any]:
    """The tab's outputs; each part skips when the visitor has seen its version already."""
    mark = mark_of(run_id, others)  # before the rest is read: later news are another mark
    shown, overview = show_overview(run_id, others, seen)
    main = next(iter(shown), None)
    beside = ",".join(map(str, shown[1:])) or None
    return [
        *overview,
        *show_changes(shown, look, seen_changes),
        *show_section(main, picked, seen_section),
        *show_ablation(main, seen_group),
        live.asks("trends", mark, run=main, others=beside),
    ]


def show_lately(*given: Any) -> list[Any]:
    """`show`, drawn once for all who ask the same at once.

    What visitors have seen is part of what they ask: it is alike for all but the newest.
    """
    key = ("trends", db.current().home, repr(given))
    drawn: list[Any] = news.of(key, lambda: show(*given))
    return drawn


def show_overview(
    run_id: int | None, others: Sequence[int] | None, seen: Any
) -> tuple[list[int], list[Any]]:
    """The runs that are shown, and the outputs that compare their iterations."""
    with db.open_session() as session:
        shown = shown_runs(session, run_id, others)
        rows, main, lines, version = shown.rows, shown.main, shown.lines, shown.version
        ids = [line.row.id for line in lines]
        if version == seen:
            return ids, [gr.skip()] * NUM_OUTPUTS
        gain = newest_gain(session, run_id=ids[0], trend=lines[0].points) if ids else None
        lines = [with_passes(session, line) for line in lines]
        beside = side_by_side(session, lines)
    choices = [(row.label, row.id) for row in rows]
    others_left = [choice for choice in choices if main and choice[1] != main.id]
    return ids, [
        gr.Dropdown(choices=choices, value=main.id if main else None, visible=bool(rows)),
        head(main, lines[0].scored if lines else [], gain, shown.raised),
        gr.Dropdown(
            choices=others_left, value=ids[1:] or None, multiselect=True, visible=len(rows) > 1
        ),
        gr.Column(visible=any(line.scored for line in lines)),
        _drawings(lines, version),
        tables(lines),
        beside,
        version,
    ]


def _drawings(lines: Sequence[RunLine], version: Any) -> str:
    """A zoom is kept for as long as the same runs are shown."""
    if not any(line.scored for line in lines):
        return ""
    of = "-".join(str(line.row.id) for line in lines)
    figures = {place.key: draw(lines, of) for place, draw in CHARTS.items()}
    return drawn(f"{of}-{sum(map(sum, version[1]))}", figures)


@dataclass(frozen=True)
class TrendsTab:
    """What the shell needs of the tab. `inputs` are the arguments of `show`."""

    picker: gr.Dropdown
    inputs: list[Component]
    outputs: list[Component]


def open_at(run_id: int | None, params: dict[str, str]) -> list[Any]:
    """The tab as an address names it: ?run=3&with=4,5&from=0&to=2&cell=broken&iteration=1"""
    others = [int(part) for part in params.get("with", "").split(",") if part.isdecimal()]
    iteration = params.get("iteration", "")
    picked = int(iteration) if iteration.isdecimal() else NEWEST
    return show_lately(run_id, others, None, look_of(params), None, picked)


def render() -> TrendsTab:
    """Lay the tab out."""
    with gr.Row(elem_id="trend-runs"):
        picker = gr.Dropdown(label="Run", choices=[], visible=False, elem_id="trend-picker")
        others = gr.Dropdown(
            label="Overlay", choices=[], multiselect=True, visible=False,
            max_choices=MAX_RUNS - 1, elem_id="trend-others",
        )  # fmt: skip
    top = gr.HTML(EMPTY, elem_id="trend-head")
    with gr.Column(visible=False, elem_id="trend-figures") as figures:
        # Gradio brings Plotly along with its first plot; this one only fetches it.
        gr.Plot(empty_figure(10), visible="hidden")
        drawings = render_drawings(list(CHARTS), "trend-charts", "wide")
        numbers = gr.HTML("", elem_id="trend-table")
        beside = gr.HTML("", elem_id="side-by-side")
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
    picked = iteration.input(show_section, [picker, iteration, seen_section], section, **quiet)
    picked.then(None, iteration, js="iteration => window.codelutra.remember({iteration})")
    wire_changes(picker, others, changed, quiet)
    api(trend, api_name="trend")
    api(training, api_name="training")
    api(alerts, api_name="alerts")
    api(changes, api_name="changes")
    return TrendsTab(picker, inputs, outputs)


def _summary(row: RunRow, scored: Sequence[TrendPoint], gain: Gain | None) -> str:
    if not scored and row.status in STOPPED:
        return f"The run is {row.status} without a score: resume it on the Refine tab."
    if not scored:
        return "The base model is not evaluated yet: the first point comes with it."
    base, newest = scored[0], scored[-1]
    first = f"Base model: <b>{_score(base)}</b>"
    if newest is base:
        waiting = row.status in (RunStatus.RUNNING, RunStatus.QUEUED)
        return first + ("; the next point comes with iteration 1." if waiting else ".")
    return (
        f"{first}. After iteration {newest.iteration}: <b>{_score(newest)}</b>{_change(gain)}. "
        f"{_syntax(scored)} {promotion(scored, is_over=row.status is RunStatus.COMPLETED)}"
    )


def _failure(row: RunRow) -> str:
    """Why it failed, and that a smoke test shows nothing."""
    if row.is_smoke:
        return '<div class="note warn">A smoke test: its one task is no result.</div>'
    if row.status is not RunStatus.FAILED:
        return ""
    reason = jobs.error(row.id) or "see its log on the Refine tab"
    return f'<div class="note bad" role="alert"><b>The run failed:</b> {text(reason)}</div>'


def _no_alert(scored: Sequence[TrendPoint]) -> str:
    return NO_ALERT if any(point.iteration for point in scored) else ""


def _check_run(session: Session, run_id: int) -> None:
    if queries.get_run(session, run_id=run_id) is None:
        raise gr.Error(f"there is no run {run_id}", print_exception=False)


def _syntax(scored: Sequence[TrendPoint]) -> str:
    shares = [p.sampled_syntax_error for p in scored if p.sampled_syntax_error is not None]
    if len(shares) < 2:
        return ""
    return f"Syntax errors in sampled programs: {percent(shares[0])} to {percent(shares[-1])}."


def _change(gain: Gain | None) -> str:
    if gain is None:
        return ""
    doubt = "" if gain.is_real else ", which may be chance"
    span = signed_interval(gain.low, gain.high)
    return f", a change of <b>{points(gain.difference)}</b> on the same tasks ({span}){doubt}"


def _score(point: TrendPoint) -> str:
    ci = interval(point.ci_low, point.ci_high)
    return f"{percent(point.pass_at_1)} ({ci}, n = {point.num_tasks})"
