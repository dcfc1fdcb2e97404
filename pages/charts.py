"""The figures of the Trends page from plain trend points; dark mode recolours them in the CSS."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from pages.format import VERDICTS, interval
from storage.trend import TrendPoint

ACCENT = "#2f5fd0"
SECOND = "#cc5500"  # the colour of a syntax error, as everywhere
INK, GRID = "#3b4250", "#d9dde4"
FONT = "IBM Plex Sans, system-ui, sans-serif"
TALL, LOW = 330, 290  # pixels


def accuracy(points: Sequence[TrendPoint]) -> go.Figure:
    """Held-out pass@1 with its 95 % interval; iteration 0 is the base model."""
    shown = [point for point in points if point.pass_at_1 is not None]
    values = [_percent(point.pass_at_1) for point in shown]
    has_validation = any(point.validation for point in points)
    figure = empty_figure(TALL)
    figure.add_scatter(
        x=[point.iteration for point in shown],
        y=values,
        mode="lines+markers",
        line={"color": ACCENT, "width": 2.5},
        marker={"size": 9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_percent(p.ci_high) - _percent(p.pass_at_1) for p in shown],
            "arrayminus": [_percent(p.pass_at_1) - _percent(p.ci_low) for p in shown],
            "thickness": 1.5,
            "width": 6,
        },
        customdata=[[p.num_tasks, interval(p.ci_low, p.ci_high)] for p in shown],
        hovertemplate=(
            "%{y:.1f}%<br>95 % interval %{customdata[1]}<br>n = %{customdata[0]} tasks"
            "<extra></extra>"
        ),
        cliponaxis=False,
        name="held-out",
        showlegend=has_validation,
    )
    if has_validation:
        _add_validation(figure, points)
    figure.add_scatter(
        x=[point.iteration for point in shown],
        y=[_percent(p.ci_low if _is_below(p) else p.ci_high) for p in shown],
        mode="text",
        text=[f"{value:.1f}%" for value in values],
        textposition=[f"{'bottom' if _is_below(p) else 'top'} center" for p in shown],
        hoverinfo="skip",
        cliponaxis=False,
        showlegend=False,
    )
    if shown:
        figure.add_hline(y=values[0], line={"color": "#8a8f98", "width": 1, "dash": "dot"})
    highest = max([0.0, *(_percent(p.ci_high) for p in shown), *_validated(points)])
    figure.update_yaxes(range=[0, min(104.0, max(40.0, highest + 12))])
    return _iterations_axis(figure, [point.iteration for point in shown])


def syntax_errors(points: Sequence[TrendPoint]) -> go.Figure:
    """Share of programs that do not parse: greedy on held-out tasks, and as sampled."""
    figure = empty_figure(LOW)
    greedy = [p for p in points if p.syntax_error is not None]
    sampled = [p for p in points if p.sampled_syntax_error is not None]
    series = (
        ("held-out, greedy", greedy, "syntax_error", "num_tasks", ACCENT, "circle", "solid"),
        ("training, sampled", sampled, "sampled_syntax_error", "num_sampled", SECOND, "square",
         "dash"),
    )  # fmt: skip
    highest = 0.0
    for name, shown, value, n, colour, symbol, dash in series:
        values = [_percent(getattr(point, value)) for point in shown]
        highest = max([highest, *values])
        figure.add_scatter(
            name=name,
            x=[point.iteration for point in shown],
            y=values,
            mode="lines+markers",
            line={"color": colour, "width": 2.5, "dash": dash},
            marker={"size": 9, "symbol": symbol},
            customdata=[[f"{getattr(point, n):,}"] for point in shown],
            hovertemplate=f"{name}: %{{y:.1f}}%<br>n = %{{customdata[0]}}<extra></extra>",
            cliponaxis=False,
        )
    figure.update_yaxes(range=[-0.04 * highest, max(5.0, highest * 1.2)])
    return _iterations_axis(figure, [point.iteration for point in greedy])


def verdict_mix(points: Sequence[TrendPoint]) -> go.Figure:
    """Held-out verdicts, as shares that add up to 100 %."""
    shown = [point for point in points if point.verdicts]
    figure = empty_figure(TALL)
    for kind, look in VERDICTS.items():
        counts = [point.verdicts.get(kind, 0) for point in shown]
        if not any(counts):
            continue
        totals = [sum(point.verdicts.values()) for point in shown]
        figure.add_bar(
            name=look.label,
            x=[point.iteration for point in shown],
            y=[100 * n / total for n, total in zip(counts, totals, strict=True)],
            marker={
                "color": look.colour,
                "pattern": {
                    "shape": look.pattern,
                    "fillmode": "overlay",
                    "fgcolor": "#fff",
                    "fgopacity": 0.4,
                    "size": 6,
                },
                "line": {"width": 0},
            },
            customdata=list(zip(counts, totals, strict=True)),
            hovertemplate=f"{look.label}: %{{y:.1f}}%<br>%{{customdata[0]}} of "
            "%{customdata[1]} tasks<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.45)
    figure.update_yaxes(range=[0, 100])
    return _iterations_axis(figure, [point.iteration for point in shown])


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


def _percent(share: float | None) -> float:
    return 100 * (share or 0.0)


def empty_figure(height: int) -> go.Figure:
    axis: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "fixedrange": True}
    return go.Figure(
        layout={
            "template": "none",
            "height": height,
            "margin": {"l": 44, "r": 18, "t": 14, "b": 44},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 13, "color": INK},
            "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left"},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": axis | {"showgrid": False},
            "yaxis": axis | {"ticksuffix": "%"},
            "showlegend": True,
            "modebar": {"remove": ["select2d", "lasso2d", "zoom", "pan", "zoomin", "zoomout"]},
        }
    )


def _iterations_axis(figure: go.Figure, numbers: Sequence[int]) -> go.Figure:
    last = max(numbers, default=0)
    figure.update_xaxes(
        tickvals=list(range(last + 1)),
        ticktext=["base", *(str(number) for number in range(1, last + 1))],
        title={"text": "iteration", "font": {"size": 13}, "standoff": 6},
        range=[-0.5, max(1, last) + 0.5],
    )
    return figure
