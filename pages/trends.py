"""Trends: did the run really get better? A point an iteration, with intervals and counts."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import api
from sqlmodel import Session

from pages import charts
from pages.alerts import NO_ALERT, alert_list
from pages.caveats import caveats
from pages.format import caption, chip, interval, percent, points, signed_interval, text
from pages.promotion import promoted, promotion
from pages.run_view import Gain, RunRow, first_shown, list_rows, newest_gain
from pages.training_section import NEWEST, Versions, render_section, show_section
from pages.trend_table import table
from storage import db, health, queries
from storage.health import RaisedAlert
from storage.jobs import RunStatus
from storage.trend import TrendPoint, run_trend

TICK_S = 3.0
NUM_OUTPUTS = 8  # picker, head, figures box, three charts, table, version

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
        f'</header><div class="note">{_summary(row, scored, gain)}</div>{caveats(row)}'
        f"{alert_list(raised) or _no_alert(scored)}</section>"
    )


def show(
    run_id: int | None,
    seen: Any = None,
    picked: int | None = NEWEST,
    seen_section: Versions | None = None,
) -> list[Any]:
    """The tab's outputs; each part skips when the visitor has seen its version already."""
    shown, trends = _show_trend(run_id, seen)
    return [*trends, *show_section(shown, picked, seen_section)]


def _show_trend(run_id: int | None, seen: Any) -> tuple[int | None, list[Any]]:
    """The run that is shown, and the outputs that compare its iterations."""
    with db.open_session() as session:
        rows = list_rows(session, wanted=run_id)
        shown = run_id or first_shown(rows)
        row = next((row for row in rows if row.id == shown), None)
        found = run_trend(session, run_id=row.id) if row else []
        gain = newest_gain(session, run_id=row.id, trend=found) if row else None
        raised = health.run_alerts(session, run_id=row.id) if row else []
    # Charts move when a policy is scored or a sampling ends, not with every batch.
    scored = [point for point in found if point.pass_at_1 is not None]
    listed = tuple((r.id, r.status.value) for r in rows)
    num_validated = sum(point.validation is not None for point in scored)
    num_sampled = sum(point.num_sampled for point in scored)
    version = (shown, listed, len(scored), num_validated, num_sampled, len(raised))
    if version == seen:
        return shown, [gr.skip()] * NUM_OUTPUTS
    return shown, [
        gr.Dropdown(
            choices=[(r.label, r.id) for r in rows],
            value=row.id if row else None,
            visible=bool(rows),
        ),
        head(row, scored, gain, raised),
        gr.Column(visible=bool(scored)),
        charts.accuracy(scored),
        charts.syntax_errors(scored),
        charts.verdict_mix(scored),
        table(scored),
        version,
    ]


def render() -> tuple[gr.Dropdown, gr.Timer, Callable[..., list[Any]], list[Component]]:
    """Lay the tab out. Returns the run picker, the timer, the refresh handler and its outputs."""
    picker = gr.Dropdown(label="Run", choices=[], value=None, visible=False, elem_id="trend-picker")
    top = gr.HTML(EMPTY, elem_id="trend-head")
    with gr.Column(visible=False, elem_id="trend-figures") as figures:
        with gr.Row():
            with gr.Column(min_width=320):
                gr.HTML(caption("Held-out accuracy", "pass@1, greedy, with its 95 % interval"))
                accuracy = gr.Plot(show_label=False, container=False, elem_id="chart-accuracy")
            with gr.Column(min_width=320):
                gr.HTML(caption("Verdicts on held-out tasks", "what became of each program"))
                mix = gr.Plot(show_label=False, container=False, elem_id="chart-verdicts")
        gr.HTML(caption("Syntax errors", "share of programs that do not parse"))
        syntax = gr.Plot(show_label=False, container=False, elem_id="chart-syntax")
        numbers = gr.HTML("", elem_id="trend-table")
    section = render_section()
    version = gr.State(None)
    outputs: list[Any] = [picker, top, figures, accuracy, syntax, mix, numbers, version, *section]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False  # quick: they need not wait for their turn
    timer = gr.Timer(TICK_S, active=False)
    iteration, seen_section = section[0], section[-1]
    timer.tick(show, [picker, version, iteration, seen_section], outputs, **quiet)
    picker.input(show, picker, outputs, **quiet)
    iteration.input(show_section, [picker, iteration, seen_section], section, **quiet)
    api(trend, api_name="trend")
    api(training, api_name="training")
    api(alerts, api_name="alerts")
    return picker, timer, show, outputs


def _summary(row: RunRow, scored: Sequence[TrendPoint], gain: Gain | None) -> str:
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
