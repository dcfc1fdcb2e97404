"""Trends: did the run really get better? A point an iteration, with intervals and counts."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import api

from pages import charts
from pages.caveats import caveats
from pages.format import (
    PHASES,
    chip,
    count,
    duration,
    interval,
    percent,
    points,
    signed_interval,
    text,
)
from pages.run_view import Gain, RunRow, first_shown, list_rows, newest_gain
from storage import db, queries
from storage.jobs import RunStatus
from storage.queries import TrendPoint

TICK_S = 3.0
NUM_OUTPUTS = 8  # picker, head, figures box, three charts, table, version

EMPTY = """<section class="panel empty" data-state="empty"><h3>No run yet</h3>
<p>Start one on the Refine tab. Its first point, the base model, shows here within a few minutes;
each iteration adds one.</p></section>"""


def trend(run_id: int) -> list[dict[str, Any]]:
    """A run's points, iteration 0 being the base model."""
    with db.open_session() as session:
        if queries.get_run(session, run_id=run_id) is None:
            raise gr.Error(f"there is no run {run_id}", print_exception=False)
        return [asdict(point) for point in queries.run_trend(session, run_id=run_id)]


def head(row: RunRow | None, scored: Sequence[TrendPoint], gain: Gain | None) -> str:
    """What the charts below say, in one or two sentences."""
    if row is None:
        return EMPTY
    return (
        f'<section class="panel" data-state="{text(row.status)}" data-points="{len(scored)}">'
        f'<header class="run-head"><h3>Run {row.id}: {text(row.name)}</h3>{chip(row.status)}'
        f'</header><div class="note">{_summary(row, scored, gain)}</div>{caveats(row)}</section>'
    )


def table(trend_points: Sequence[TrendPoint]) -> str:
    """Every number of the charts, and what each iteration cost."""
    if not trend_points:
        return ""
    names = ["Policy", "pass@1", "95 % interval", "n", "Syntax errors, greedy",
             "Syntax errors, sampled", "Pairs", *(f"{phase}" for phase in PHASES)]  # fmt: skip
    header = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    rows = "".join(_table_row(point) for point in trend_points)
    return (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Numbers by iteration">'
        f'<table class="numbers"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>'
        '</div><p class="faint">Sampled: the training programs drawn from that policy in the next '
        "iteration, so the newest policy has none yet. The last five columns are wall time.</p>"
    )


def show(run_id: int | None, seen: Any = None) -> list[Any]:
    """The tab's outputs; skips when the visitor has `seen` this version already."""
    with db.open_session() as session:
        rows = list_rows(session, wanted=run_id)
        shown = run_id or first_shown(rows)
        row = next((row for row in rows if row.id == shown), None)
        found = queries.run_trend(session, run_id=row.id) if row else []
        gain = newest_gain(session, run_id=row.id, trend=found) if row else None
    # Charts move when a policy is scored or a sampling ends, not with every batch.
    scored = [point for point in found if point.pass_at_1 is not None]
    listed = tuple((r.id, r.status.value) for r in rows)
    version = (shown, listed, len(scored), sum(point.num_sampled for point in scored))
    if version == seen:
        return [gr.skip()] * NUM_OUTPUTS
    return [
        gr.Dropdown(
            choices=[(r.label, r.id) for r in rows],
            value=row.id if row else None,
            visible=bool(rows),
        ),
        head(row, scored, gain),
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
                gr.HTML(_caption("Held-out accuracy", "pass@1, greedy, with its 95 % interval"))
                accuracy = gr.Plot(show_label=False, container=False, elem_id="chart-accuracy")
            with gr.Column(min_width=320):
                gr.HTML(_caption("Verdicts on held-out tasks", "what became of each program"))
                mix = gr.Plot(show_label=False, container=False, elem_id="chart-verdicts")
        gr.HTML(_caption("Syntax errors", "share of programs that do not parse"))
        syntax = gr.Plot(show_label=False, container=False, elem_id="chart-syntax")
        numbers = gr.HTML("", elem_id="trend-table")
    version = gr.State(None)
    outputs: list[Any] = [picker, top, figures, accuracy, syntax, mix, numbers, version]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    quiet["queue"] = False  # quick: they need not wait for their turn
    timer = gr.Timer(TICK_S, active=False)
    timer.tick(show, [picker, version], outputs, **quiet)
    picker.input(show, picker, outputs, **quiet)
    api(trend, api_name="trend")
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
        f"{_syntax(scored)}"
    )


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


def _table_row(point: TrendPoint) -> str:
    sampled = percent(point.sampled_syntax_error)
    if point.num_sampled:
        sampled += f' <small class="faint">n = {count(point.num_sampled)}</small>'
    cells = [
        percent(point.pass_at_1),
        interval(point.ci_low, point.ci_high),
        count(point.num_tasks or 0),
        percent(point.syntax_error),
        sampled,
        count(point.num_pairs) if point.iteration else percent(None),
        *(duration(point.seconds.get(phase)) for phase in PHASES),
    ]
    name = f"iteration {point.iteration}" if point.iteration else "base"
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{body}</tr>'


def _caption(title: str, about: str) -> str:
    return f'<h4 class="caption">{text(title)} <small>{text(about)}</small></h4>'
