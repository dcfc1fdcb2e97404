"""The figures of one iteration's training from its stored steps, one a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from pages.figures import ACCENT, SECOND, empty_figure, say_nothing
from storage.curves import Curves, Row

HEIGHT = 230  # pixels
SMOOTH_FROM = 40  # points: fewer are drawn as they are
Values = list[float | None]


@dataclass(frozen=True)
class Series:
    metric: str  # spelt as TRL logs it
    name: str
    colour: str = ACCENT
    dash: str = "solid"  # the colour is never the only sign


@dataclass(frozen=True)
class Panel:
    key: str
    title: str
    about: str
    series: tuple[Series, ...]
    is_share: bool = False


PANELS = (
    Panel("loss", "Loss terms", "the DPO and the SFT term, apart",
          (Series("loss/dpo", "DPO"), Series("loss/sft", "SFT", SECOND, "dash"))),
    Panel("logps", "Log-probability", "of a whole program, in nats",
          (Series("logps/chosen", "chosen"),
           Series("logps/rejected", "rejected", SECOND, "dash"))),
    Panel("margins", "Reward margin", "chosen above rejected",
          (Series("rewards/margins", "margin"),)),
    Panel("accuracies", "Reward accuracy", "pairs with a positive margin",
          (Series("rewards/accuracies", "accuracy"),), is_share=True),
    Panel("grad-norm", "Gradient norm", "before clipping",
          (Series("grad_norm", "norm"),)),
    Panel("tokens", "Speed", "tokens a second",
          (Series("tokens_per_second", "tokens/s"),)),
)  # fmt: skip
# What is drawn of a run that stored the sum of the terms alone.
TOTAL = Series("loss", "total", "#6b7280", "dot")
METRICS = (*(series.metric for panel in PANELS for series in panel.series), TOTAL.metric)
Steps = Sequence[tuple[int, Row]]


def curve(panel: Panel, drawn: Curves, revision: str) -> go.Figure:
    """One panel; a zoom is kept for as long as `revision` stays the same."""
    figure = empty_figure(HEIGHT)
    figure.update_layout(
        uirevision=revision,
        hovermode="x",
        margin={"l": 46, "r": 12, "t": 30, "b": 26},
        legend={"y": 1.0, "font": {"size": 13}},
    )
    figure.update_xaxes(fixedrange=False, rangemode="tozero")
    figure.update_yaxes(ticksuffix="%" if panel.is_share else "", nticks=5)
    if panel.is_share:
        figure.update_yaxes(range=[-3, 103], tick0=0, dtick=25)
    scale, unit = (100.0, "%") if panel.is_share else (1.0, "")
    for series in _shown(panel, drawn.steps):
        line = _values(series, drawn.steps, scale)
        _add(figure, series, line, _values(series, drawn.means, scale), unit)
    if not figure.data:
        say_nothing(figure, "not part of this training")
    return figure


def smooth(values: Values, window: int) -> Values:
    """Centred moving mean over what is there; a value that is missing stays missing."""
    half = window // 2
    result: Values = []
    for position, value in enumerate(values):
        near = [v for v in values[max(0, position - half) : position + half + 1] if v is not None]
        result.append(sum(near) / len(near) if value is not None else None)
    return result


def _shown(panel: Panel, steps: Steps) -> list[Series]:
    there = [s for s in panel.series if _is_known(s, steps)]
    return [TOTAL] if not there and panel.key == "loss" and _is_known(TOTAL, steps) else there


def _is_known(series: Series, steps: Steps) -> bool:
    return any(metrics.get(series.metric) is not None for _, metrics in steps)


@dataclass(frozen=True)
class _Line:
    at: list[int]
    values: Values


def _values(series: Series, steps: Steps, scale: float) -> _Line:
    """Five digits: the page is sent all of them again while the run trains."""
    found = (metrics.get(series.metric) for _, metrics in steps)
    values = [None if value is None else float(f"{scale * value:.5g}") for value in found]
    return _Line([step for step, _ in steps], values)


def _add(figure: go.Figure, series: Series, line: _Line, means: _Line, unit: str) -> None:
    """The line, and over a light one its mean where there are many steps."""
    is_long = len(line.values) >= SMOOTH_FROM
    newest = next((value for value in reversed(line.values) if value is not None), 0.0)
    shown = f"{newest:,.4g}".replace("-", "\N{MINUS SIGN}")  # as on the axis
    name = f"{series.name} {shown}{unit}"  # the newest value in reach of a phone, too
    look: dict[str, Any] = {"color": series.colour, "width": 2, "dash": series.dash}
    figure.add_scatter(
        x=line.at,
        y=line.values,
        name=name,
        mode="lines" if len(line.values) > 1 else "markers",
        line=look | ({"width": 1, "dash": "solid"} if is_long else {}),
        opacity=0.3 if is_long else 1.0,
        legendgroup=series.name,
        showlegend=not is_long,
        hovertemplate=f"{series.name} %{{y:.4g}}{unit}<br>step %{{x:,}}<extra></extra>",
    )
    if is_long:
        bold = means if means.at else line
        mean = smooth(bold.values, max(5, len(bold.values) // 20))
        figure.add_scatter(
            x=bold.at,
            y=[None if value is None else float(f"{value:.5g}") for value in mean],
            name=name,
            mode="lines",
            line=look,
            legendgroup=series.name,
            hoverinfo="skip",
        )
