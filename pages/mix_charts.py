"""Stacked bars over the iterations of one run, or of several: verdicts, and time by phase."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from pages.figures import TALL, empty_figure, iterations_axis
from pages.format import PHASES, VERDICTS, Look, duration
from pages.overlay import RunLine, last_of
from storage.trend import TrendPoint

PHASE_LOOKS = {
    "sample": Look("sample", "#2f5fd0"),
    "execute": Look("execute", "#7fa1ee", "/"),
    "pair": Look("pair", "#8a8f98", "."),
    "train": Look("train", "#2a9d8f", "x"),
    "evaluate": Look("evaluate", "#a8842c", "\\"),
}


@dataclass(frozen=True)
class _Bar:
    """One bar: where it stands, and what is stacked in it."""

    line: RunLine
    point: TrendPoint
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def verdict_mix(lines: Sequence[RunLine], revision: str = "") -> go.Figure:
    """Held-out verdicts, as shares that add up to 100 %."""
    bars = _bars(lines, lambda point: point.verdicts)
    figure = _stacked(bars, VERDICTS, lines, revision, in_share=True)
    figure.update_yaxes(range=[0, 100])
    return figure


def phase_time(lines: Sequence[RunLine], revision: str = "") -> go.Figure:
    """Wall time of an iteration's phases, in minutes or what suits."""
    bars = _bars(lines, lambda point: {p: point.seconds.get(p, 0.0) for p in PHASES})
    figure = _stacked(bars, PHASE_LOOKS, lines, revision, in_share=False)
    return figure


def unit_of(seconds: float) -> tuple[float, str]:
    if seconds >= 3 * 3600:
        return 3600.0, " h"
    return (60.0, " min") if seconds >= 180 else (1.0, " s")


def _bars(
    lines: Sequence[RunLine], parts_of: Callable[[TrendPoint], Mapping[str, float]]
) -> list[_Bar]:
    bars = [_Bar(line, point, parts_of(point)) for line in lines for point in line.points]
    return [bar for bar in bars if bar.total]


def _stacked(
    bars: Sequence[_Bar],
    looks: Mapping[str, Look],
    lines: Sequence[RunLine],
    revision: str,
    *,
    in_share: bool,
) -> go.Figure:
    figure = empty_figure(TALL, revision=revision)
    most = max((bar.total for bar in bars), default=0.0)
    scale, unit = unit_of(most)
    for part, look in looks.items():
        values = [bar.parts.get(part, 0) for bar in bars]
        if not any(values):
            continue
        if in_share:
            heights = [100 * bar.parts.get(part, 0) / bar.total for bar in bars]
            said = [f"{v:,} of {b.total:,} tasks" for v, b in zip(values, bars, strict=True)]
        else:
            heights = [value / scale for value in values]
            said = [_time_and_tokens(bar, part) for bar in bars]
        figure.add_bar(
            name=look.label,
            x=_places(bars, lines),
            y=heights,
            marker=_marker(look),
            customdata=[[text] for text in said],
            hovertemplate=f"{look.label}: %{{y:.1f}}{'%' if in_share else unit}<br>"
            "%{customdata[0]}<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0.45 if len(lines) == 1 else 0.2)
    figure.update_yaxes(ticksuffix="%" if in_share else unit)
    if len(lines) == 1:
        return iterations_axis(figure, last_of(lines))
    figure.update_xaxes(type="multicategory", showdividers=False)
    figure.update_layout(margin={"b": 76})  # for both rows of names, on a phone upright
    return figure


def _places(bars: Sequence[_Bar], lines: Sequence[RunLine]) -> Any:
    """The iterations, or the iterations within their runs."""
    if len(lines) == 1:
        return [bar.point.iteration for bar in bars]
    names = [str(bar.point.iteration or "base") for bar in bars]
    return [[bar.line.short for bar in bars], names]


def _time_and_tokens(bar: _Bar, phase: str) -> str:
    said = duration(bar.parts[phase])
    drawn = bar.point.tokens.get(phase)
    tokens = bar.line.trained_tokens(bar.point) if phase == "train" else drawn
    return f"{said}, {tokens:,} tokens" if tokens else said


def _marker(look: Look) -> dict[str, Any]:
    pattern = {"shape": look.pattern, "fillmode": "overlay", "fgcolor": "#fff", "fgopacity": 0.4}
    return {"color": look.colour, "pattern": pattern | {"size": 6}, "line": {"width": 0}}
