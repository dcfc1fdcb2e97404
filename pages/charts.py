"""Held-out accuracy, pass@k and syntax errors over the iterations of one run, or of several."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from pages.figures import (
    ACCENT,
    LOW,
    SECOND,
    TALL,
    RunLook,
    add_band,
    empty_figure,
    iterations_axis,
    say_nothing,
    share_axis,
)
from pages.format import interval
from pages.overlay import RunLine, last_of
from storage.trend import TrendPoint


def accuracy(lines: Sequence[RunLine], revision: str = "") -> go.Figure:
    """Held-out pass@1 with its 95 % band; iteration 0 is the base model."""
    figure = empty_figure(TALL, revision=revision)
    alone = len(lines) == 1
    for line in lines:
        shown, name = line.scored, "held-out" if alone else line.short
        has_validation = alone and any(point.validation for point in line.points)
        if len(shown) > 1:
            low, high = (
                [_percent(getattr(p, end)) for p in shown] for end in ("ci_low", "ci_high")
            )
            add_band(figure, _numbers(shown), low, high, line.look.colour, name)
        figure.add_scatter(**_accuracy_line(line, name, has_legend=has_validation or not alone))
        if has_validation:
            _add_validation(figure, line.points)
        if alone:
            _add_labels(figure, shown)
    if alone and lines[0].scored:
        start = _percent(lines[0].scored[0].pass_at_1)
        figure.add_hline(y=start, line={"color": "#8a8f98", "width": 1, "dash": "dot"})
    share_axis(figure, at_least=40.0)
    return iterations_axis(figure, last_of(lines))


def pass_at_k(lines: Sequence[RunLine], revision: str = "") -> go.Figure:
    """Of the sampled programs: every k of one run, the smallest and largest of several."""
    figure = empty_figure(LOW, revision=revision)
    alone = len(lines) == 1
    for line in lines:
        ks = sorted({found.k for passes in line.passes.values() for found in passes})
        for place, k in enumerate(ks if alone else sorted({*ks[:1], *ks[-1:]})):
            found = {
                policy: each for policy, passes in sorted(line.passes.items())
                for each in passes if each.k == k
            }  # fmt: skip
            colour = line.look.colour
            low = [_percent(each.low) for each in found.values()]
            high = [_percent(each.high) for each in found.values()]
            name = f"pass@{k}" if alone else f"{line.short}, pass@{k}"
            if len(found) > 1:
                add_band(figure, list(found), low, high, colour, name)
            figure.add_scatter(
                name=name if alone else line.short,
                legendgroup=name if alone else line.short,
                showlegend=alone or not place,
                x=list(found),
                y=[_percent(each.mean) for each in found.values()],
                mode="lines+markers",
                line={"color": colour, "width": 2.5, "dash": ("solid", "dash", "dot")[place % 3]},
                marker={"size": 8, "symbol": line.look.symbol},
                error_y=_error_bars(
                    [(100 * e.low, 100 * e.mean, 100 * e.high) for e in found.values()]
                ),
                customdata=[
                    [interval(each.low, each.high), f"{each.num_tasks:,}"]
                    for each in found.values()
                ],
                hovertemplate=f"{name}: %{{y:.1f}}%<br>95 % interval %{{customdata[0]}}<br>"
                "n = %{customdata[1]} training tasks<extra></extra>",
                cliponaxis=False,
            )
    if not any(line.passes for line in lines):
        is_to_come = any(line.row.iterations for line in lines)
        baseline = "this run scores the base alone: nothing is sampled"
        return say_nothing(
            figure, "comes with the first iteration's samples" if is_to_come else baseline
        )
    figure.update_yaxes(range=[0, 104])
    ks = sorted({each.k for line in lines for found in line.passes.values() for each in found})
    note = "" if alone or len(ks) < 2 else f"solid pass@{ks[0]}, dashed pass@{ks[-1]}"
    return iterations_axis(figure, last_of(lines), note)


def syntax_errors(lines: Sequence[RunLine], revision: str = "") -> go.Figure:
    """Share of programs that do not parse: greedy on held-out tasks, and as sampled."""
    figure = empty_figure(LOW, revision=revision)
    for line in lines:
        looks = (line.look, line.look) if len(lines) > 1 else (
            RunLook(ACCENT, "solid", "circle"), RunLook(SECOND, "dash", "square"),
        )  # fmt: skip
        series = (
            ("held-out, greedy", "syntax_error", "num_tasks", looks[0], "solid"),
            ("training, sampled", "sampled_syntax_error", "num_sampled", looks[1], "dash"),
        )
        for what, value, n, look, dash in series:
            shown = [point for point in line.points if getattr(point, value) is not None]
            values = [_percent(getattr(point, value)) for point in shown]
            alone = len(lines) == 1
            name = what if alone else f"{line.short}, {what}"
            figure.add_scatter(
                name=name if alone else line.short,
                legendgroup=name if alone else line.short,
                showlegend=alone or dash == "solid",
                x=_numbers(shown),
                y=values,
                mode="lines+markers",
                line={"color": look.colour, "width": 2.5, "dash": dash},
                marker={"size": 9, "symbol": look.symbol},
                customdata=[[f"{getattr(point, n):,}"] for point in shown],
                hovertemplate=f"{name}: %{{y:.1f}}%<br>n = %{{customdata[0]}}<extra></extra>",
                cliponaxis=False,
            )
    share_axis(figure, at_least=5.0)
    note = "" if len(lines) == 1 else "solid greedy, dashed sampled"
    return iterations_axis(figure, last_of(lines), note)


def _accuracy_line(line: RunLine, name: str, *, has_legend: bool) -> dict[str, Any]:
    shown, look = line.scored, line.look
    return {
        "name": name,
        "legendgroup": name,
        "showlegend": has_legend,
        "x": _numbers(shown),
        "y": [_percent(point.pass_at_1) for point in shown],
        "mode": "lines+markers",
        "line": {"color": look.colour, "width": 2.5, "dash": look.dash},
        "marker": {"size": 9, "symbol": look.symbol},
        "error_y": _error_bars(
            [(_percent(p.ci_low), _percent(p.pass_at_1), _percent(p.ci_high)) for p in shown]
        ),
        "customdata": [[p.num_tasks, interval(p.ci_low, p.ci_high)] for p in shown],
        "hovertemplate": f"{name}: %{{y:.1f}}%<br>95 % interval %{{customdata[1]}}<br>"
        "n = %{customdata[0]} tasks<extra></extra>",
        "cliponaxis": False,
    }


def _error_bars(triples: Sequence[tuple[float, float, float]]) -> dict[str, Any] | None:
    """Of a single point, which has no band."""
    if len(triples) != 1:
        return None
    low, value, high = triples[0]
    ends = {"array": [high - value], "arrayminus": [value - low]}
    return {"type": "data", "symmetric": False, "thickness": 1.5, "width": 6, **ends}


def _add_labels(figure: go.Figure, shown: Sequence[TrendPoint]) -> None:
    """The number of every point, beyond its interval."""
    figure.add_scatter(
        x=_numbers(shown),
        y=[_percent(p.ci_low if _is_below(p) else p.ci_high) for p in shown],
        mode="text",
        text=[f"{_percent(point.pass_at_1):.1f}%" for point in shown],
        textposition=[f"{'bottom' if _is_below(p) else 'top'} center" for p in shown],
        hoverinfo="skip",
        cliponaxis=False,
        showlegend=False,
    )


def _add_validation(figure: go.Figure, points: Sequence[TrendPoint]) -> None:
    """A thin line: the promoted iteration is chosen by it, the headline is held-out."""
    scores = {p.iteration: p.validation for p in points if p.validation}
    figure.add_scatter(
        name="validation",
        x=list(scores),
        y=_validated(points),
        mode="lines+markers",
        line={"color": SECOND, "width": 1.5, "dash": "dash"},
        marker={"size": 7, "symbol": "diamond-open"},
        customdata=[
            [found.num_tasks, interval(found.ci_low, found.ci_high)] for found in scores.values()
        ],
        hovertemplate=(
            "validation: %{y:.1f}%<br>95 % interval %{customdata[1]}<br>"
            "n = %{customdata[0]} tasks<extra></extra>"
        ),
        cliponaxis=False,
    )


def _validated(points: Sequence[TrendPoint]) -> list[float]:
    return [_percent(point.validation.pass_at_1) for point in points if point.validation]


def _is_below(point: TrendPoint) -> bool:
    """Whether a point's number stands below it, out of the way of a better validation score."""
    validated = point.validation.pass_at_1 if point.validation else None
    return _percent(validated) > _percent(point.pass_at_1)


def _numbers(points: Sequence[TrendPoint]) -> list[int]:
    return [point.iteration for point in points]


def _percent(share: float | None) -> float:
    return 100 * (share or 0.0)
