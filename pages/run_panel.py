"""A `RunView` as HTML: what happens now, what came out so far, what to do next, the log."""

from codelutra.smoke import phase_lines
from pages.alerts import alert_list
from pages.caveats import caveats
from pages.format import (
    chip,
    count,
    duration,
    interval,
    percent,
    points,
    signed_interval,
    text,
)
from pages.iteration_panel import iteration_details
from pages.place import can_run
from pages.progress_panel import progress_of
from pages.promotion import MARK, promoted
from pages.run_view import AT_WORK, Gain, RunView
from storage.run_status import RunStatus
from storage.trend import TrendPoint

EMPTY = """<section class="panel empty" data-state="empty">
<h3>Nothing has run yet</h3>
<p>A run lets the model write programs, executes them in a sandbox, trains the model to prefer its
correct programs to its incorrect ones, and measures the result on held-out tasks.</p>
{how}
</section>"""
HERE = """<p>Choose what to start from in the form, then press <strong>Start</strong>: the starter
needs no GPU, no account and no network. <strong>Try one task</strong> goes through every phase on
one task first, and then tells how long the run takes. You may close this tab at any time; the run
goes on.</p>"""
ELSEWHERE = """<p>No run can be executed in this place. Those of a lab elsewhere are shown once its
snapshot or its backup is restored here.</p>"""


def panel(view: RunView | None) -> str:
    if view is None:
        return EMPTY.format(how=HERE if can_run() else ELSEWHERE)
    parts = [
        _head(view),
        _message(view),
        caveats(view.row),
        alert_list(view.alerts, more=view.num_alerts - len(view.alerts)),
        progress_of(view),
        _results(view),
        _rounds(view),
        iteration_details(view),
    ]
    looked_at = "" if view.looked_at is None else f' data-iteration="{view.looked_at}"'
    return (
        f'<section class="panel" data-state="{text(view.status)}" data-run="{view.row.id}"'
        f"{looked_at}>"
        f"{''.join(parts)}</section>"
    )


def log_tail(view: RunView | None) -> str:
    if view is None or not view.log:
        return '<pre class="log" tabindex="0" aria-label="Log of the run">No lines yet.</pre>'
    lines = [
        f'<span class="when">{when.astimezone():%H:%M:%S}</span> {text(message)}'
        for when, message in view.log
    ]
    body = "\n".join(lines)
    return f'<pre class="log" tabindex="0" aria-label="Log of the run">{body}</pre>'


def _head(view: RunView) -> str:
    validation = f", {count(view.num_validation)} validation" if view.num_validation else ""
    tasks = (
        f"{count(view.num_train)} training{validation} and {count(view.num_heldout)} held-out tasks"
    )
    model = text(view.config.get("model", ""))
    training = view.config.get("training", {})
    mode = text(training.get("mode", "dual"))
    return (
        f'<header class="run-head"><h3>Run {view.row.id}</h3>{chip(view.status)}'
        f'<span class="facts">model <b>{model}</b>, {tasks} of '
        f"<b>{text(view.config.get('tasks', ''))}</b>, loss {mode}</span></header>"
    )


def _message(view: RunView) -> str:
    """One sentence on the state, and what to do about it where something can be done."""
    if view.status is RunStatus.FAILED:
        return (
            f'<div class="note bad" role="alert"><b>The run stopped with an error.</b> '
            f"{text(view.error or 'The log below says more.')}<br>Mend the cause, then press "
            "Resume: the run goes on from what is finished.</div>"
        )
    kind = "warn" if view.status is RunStatus.INTERRUPTED else ""
    return f'<div class="note {kind}">{_sentence(view)}</div>'


def _sentence(view: RunView) -> str:
    match view.status:
        case RunStatus.QUEUED:
            return _queued(view)
        case RunStatus.RUNNING if view.is_cut:
            return (
                f"It ends after {_policy(view.ends_after)}, as asked. You may close this tab: the "
                "run goes on until then."
            )
        case RunStatus.RUNNING:
            return "You may close this tab: the run goes on, and this page finds it again."
        case RunStatus.PAUSING:
            return "Stopping at the next safe point, within seconds. Finished work is kept."
        case RunStatus.PAUSED if view.awaits_review_of:
            return (
                f"The pairs of iteration {view.awaits_review_of} are made. Look through them on "
                "the Pairs tab; Resume then trains on what is left."
            )
        case RunStatus.PAUSED:
            return "Paused. What is finished is kept; Resume goes on from there."
        case RunStatus.CANCELLING:
            return "Cancelling: the phase under way is being stopped."
        case RunStatus.CANCELLED:
            return "Cancelled. What is finished is kept; Resume takes the run up again."
        case RunStatus.INTERRUPTED if view.worker_pid is None:
            return (
                "Interrupted, resuming: the worker died in the middle of this run. It goes on from "
                "the last finished step as soon as the worker is back; this page starts it within "
                "seconds."
            )
        case RunStatus.INTERRUPTED:
            return "Another version of CodeLutra began this run. Press Resume to go on with it."
        case _:
            return _finished(view)


def _finished(view: RunView) -> str:
    total = sum(sum(point.seconds.values()) for point in view.trend)
    if view.config.get("smoke"):
        return _tried(view)
    last = max((point.iteration for point in view.scored), default=0)
    early = ""
    if view.is_cut:
        early = f" Ended after {_policy(view.ends_after)}, as asked."
    elif 0 < last < view.row.iterations:
        early = f" Stopped after iteration {last}: its gain on validation tasks may be chance."
    if not last:
        return (
            f"Finished after {duration(total)} of work.{early} This is what the base solves. To "
            "see what training changes, clone this run into the form and give it an iteration."
        )
    export = f"python -m codelutra export adapter {view.row.id} --out my-adapter"
    return (
        f"Finished after {duration(total)} of work.{early} The Trends tab has the charts. To take "
        f"the promoted adapter away: <code>{export}</code>"
    )


def _tried(view: RunView) -> str:
    """A line a phase of a smoke test that came to its end."""
    point = view.trend[-1]
    was_trained = point.num_pairs > 0
    lines = phase_lines(point.seconds, was_trained=was_trained)
    so = (
        "every phase of the loop runs here. How long the run itself would take is now under "
        "Before you start."
        if was_trained
        else "every phase but training, which had no pair, runs here."
    )
    return (
        f"<b>The smoke test passed:</b> {so}<ul>"
        + "".join(f"<li>{text(line)}</li>" for line in lines)
        + "</ul>"
    )


def _queued(view: RunView) -> str:
    if view.worker_pid is None:
        return "Queued. The worker is starting; the run begins as soon as it is there."
    if view.ahead:
        runs = ", ".join(f"run {number}" for number in view.ahead)
        return f"Queued behind {runs}: it starts by itself. You may close this tab."
    return "Queued: it starts in a moment. You may close this tab."


def _results(view: RunView) -> str:
    """Base, newest policy and the difference, each with its interval."""
    if not view.scored or view.config.get("smoke"):  # a task or two are no result
        return ""
    base, newest = view.scored[0], view.scored[-1]
    cells = [_figure("Base model, held-out pass@1", base)]
    if newest is not base:
        cells.append(_figure(f"After iteration {newest.iteration}", newest))
    if view.gain:
        cells.append(_gain(view.gain))
    cells.append(_syntax(view))
    return f'<dl class="figures">{"".join(cells)}</dl>'


def _figure(label: str, point: TrendPoint) -> str:
    return (
        f"<div><dt>{label}</dt><dd>{percent(point.pass_at_1)}"
        f"<small>95 % interval {interval(point.ci_low, point.ci_high)}</small>"
        f"<small>n = {point.num_tasks} tasks</small></dd></div>"
    )


def _syntax(view: RunView) -> str:
    """As sampled, where there are samples: greedy programs seldom fail to parse."""
    sampled = [p for p in view.trend if p.sampled_syntax_error is not None]
    if sampled:
        shares = [p.sampled_syntax_error for p in sampled]
        label, about = "Syntax errors, sampled", f"n = {count(sampled[-1].num_sampled)} programs"
    else:
        shares = [p.syntax_error for p in view.scored]
        label, about = "Syntax errors, held-out", f"n = {view.scored[-1].num_tasks} tasks"
    span = " to ".join(percent(share) for share in shares[:1] + shares[1:][-1:])
    return f"<div><dt>{label}</dt><dd>{span}<small>{about}</small></dd></div>"


def _gain(gain: Gain) -> str:
    remark = "" if gain.is_real else "<small>the interval holds 0: may be chance</small>"
    return (
        f"<div><dt>Change from base</dt><dd>{points(gain.difference)}"
        f"<small>95 % interval {signed_interval(gain.low, gain.high)}</small>"
        f"<small>the same {gain.num_tasks} tasks</small>{remark}</dd></div>"
    )


def _rounds(view: RunView) -> str:
    """One box a policy, so that the whole run is in sight; a scored one opens its details."""
    if view.config.get("smoke"):
        return ""
    scored = {point.iteration: point for point in view.scored}
    under_way = view.progress.iteration if view.progress else None
    best = promoted(view.trend) or None  # the base is no adapter to promote
    boxes = []
    for number in range(view.row.iterations + 1):
        if number in scored:
            state, value = "done", percent(scored[number].pass_at_1)
        elif number == under_way and view.status is not RunStatus.COMPLETED:
            state, value = "now", "under way" if view.status in AT_WORK else text(view.status)
        else:
            state, value = "todo", "to come" if number <= view.ends_after else "left out"
        mark = MARK if number == best else ""
        box = f"<span>{_policy(number).capitalize()}</span><b>{value}</b>{mark}"
        if state != "todo":
            is_open = "true" if number == view.looked_at else "false"
            box = (
                f'<button type="button" data-at="{number}" aria-pressed="{is_open}">{box}</button>'
            )
        boxes.append(f'<li class="{state}">{box}</li>')
    return f'<ol class="rounds" aria-label="Held-out pass@1 by iteration">{"".join(boxes)}</ol>'


def _policy(number: int) -> str:
    return f"iteration {number}" if number else "base"
