"""What the charts of the Trends tab say, in two or three sentences, and a run's alerts."""

from collections.abc import Sequence

from pages.alerts import NO_ALERT, alert_list
from pages.caveats import caveats
from pages.format import chip, interval, percent, points, signed_interval, text
from pages.promotion import promotion
from pages.run_view import Gain, RunRow
from storage.health import RaisedAlert
from storage.run_status import STOPPED, RunStatus
from storage.trend import TrendPoint

EMPTY = """<section class="panel empty" data-state="empty"><h3>No run yet</h3>
<p>Start one on the Refine tab. Its first point, the base model, shows here within a few minutes;
each iteration adds one.</p></section>"""


def head(
    row: RunRow | None,
    scored: Sequence[TrendPoint],
    gain: Gain | None,
    raised: Sequence[RaisedAlert] = (),
    failure: str | None = None,
) -> str:
    """The alerts, and what the charts below say in two or three sentences."""
    if row is None:
        return EMPTY
    return (
        f'<section class="panel" data-state="{text(row.status)}" data-points="{len(scored)}">'
        f'<header class="run-head"><h3>Run {row.id}: {text(row.name)}</h3>{chip(row.status)}'
        f'</header>{_failure(row, failure)}<div class="note">{_summary(row, scored, gain)}</div>'
        f"{caveats(row)}"
        f"{alert_list(raised) or _no_alert(scored)}</section>"
    )


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


def _failure(row: RunRow, failure: str | None) -> str:
    """Why it failed, and that a smoke test shows nothing."""
    if row.is_smoke:
        return '<div class="note warn">A smoke test: its one task is no result.</div>'
    if row.status is not RunStatus.FAILED:
        return ""
    reason = failure or "see its log on the Refine tab"
    return f'<div class="note bad" role="alert"><b>The run failed:</b> {text(reason)}</div>'


def _no_alert(scored: Sequence[TrendPoint]) -> str:
    return NO_ALERT if any(point.iteration for point in scored) else ""


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
