"""One iteration of a run as HTML: what it drew, what it learned from, what it solves."""

from collections.abc import Mapping

from pages.format import PHASES, VERDICTS, caption, count, duration, interval, percent, text
from pages.run_view import RunView
from storage.trend import TrendPoint


def iteration_details(view: RunView) -> str:
    """Of the iteration that a person looks at; '' where none is."""
    by_number = {point.iteration: point for point in view.trend}
    point = by_number.get(-1 if view.looked_at is None else view.looked_at)
    if point is None:
        return ""
    name = f"Iteration {point.iteration}" if point.iteration else "Base model"
    rows = [
        *_drawn(by_number.get(point.iteration - 1)),
        *_paired(point),
        *_scored(point),
        *_times(point.seconds),
    ]
    listed = "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in rows)
    links = _links(view.row.id, point.iteration) if point.iteration else ""
    body = f"<dl>{listed}</dl>" if rows else '<p class="faint">Nothing is finished yet.</p>'
    title = caption(name, "its latest programs are below")
    return f'<section class="iteration">{title}{body}{links}</section>'


def _drawn(policy: TrendPoint | None) -> list[tuple[str, str]]:
    """An iteration samples from the policy of the one before."""
    if policy is None or not policy.num_sampled:
        return []
    writer = f"iteration {policy.iteration}" if policy.iteration else "the base"
    errors = percent(policy.sampled_syntax_error)
    return [
        ("Sampled", f"{count(policy.num_sampled)} programs of {writer}, {errors} syntax errors")
    ]


def _paired(point: TrendPoint) -> list[tuple[str, str]]:
    return [("Pairs", count(point.num_pairs))] if point.num_pairs else []


def _scored(point: TrendPoint) -> list[tuple[str, str]]:
    if point.pass_at_1 is None:
        return []
    within = f"95 % interval {interval(point.ci_low, point.ci_high)}, n = {point.num_tasks}"
    rows = [("Held-out pass@1", f"{percent(point.pass_at_1)} ({within})")]
    kinds = sorted((point.verdicts or {}).items(), key=lambda each: -each[1])
    if kinds:
        words = ", ".join(f"{count(number)} {VERDICTS[kind].label}" for kind, number in kinds)
        rows.append(("Verdicts", text(words)))
    return rows


def _times(seconds: Mapping[str, float]) -> list[tuple[str, str]]:
    known = [f"{phase} {duration(seconds[phase])}" for phase in PHASES if phase in seconds]
    return [("Time", ", ".join(known))] if known else []


def _links(run_id: int, number: int) -> str:
    return (
        f'<p><a href="?tab=pairs&amp;run={run_id}&amp;iteration={number}">Its pairs</a> · '
        f'<a href="?tab=trends&amp;run={run_id}">The run\'s trends</a></p>'
    )
