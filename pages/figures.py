"""What all figures share: their look, and that of a run among several. Dark mode is in the CSS."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

ACCENT = "#2f5fd0"
SECOND = "#cc5500"  # the colour of a syntax error, as everywhere
INK, GRID = "#3b4250", "#d9dde4"
FONT = "IBM Plex Sans, system-ui, sans-serif"
TALL, LOW = 330, 290  # pixels


@dataclass(frozen=True)
class RunLook:
    """Told apart by three signs, of which the colour is one."""

    colour: str
    dash: str
    symbol: str


# None of these is the colour of a verdict.
RUN_LOOKS = (
    RunLook(ACCENT, "solid", "circle"),
    RunLook("#c8553d", "dash", "square"),
    RunLook("#2a9d8f", "dot", "diamond"),
    RunLook("#8e6bd1", "dashdot", "triangle-up"),
    RunLook("#a8842c", "longdash", "cross"),
    RunLook("#d65fa5", "longdashdot", "star"),
)


def empty_figure(height: int, *, revision: str = "") -> go.Figure:
    """A zoom is kept for as long as `revision` stays the same."""
    axis: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "fixedrange": not revision}
    return go.Figure(
        layout={
            "template": "none",
            "height": height,
            "uirevision": revision or None,
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


def iterations_axis(figure: go.Figure, last: int, note: str = "") -> go.Figure:
    """Up to the `last` iteration that is planned: Plotly keeps a zoom only for as long as the range
    that it was made in stays the same. `note` says what no legend does."""
    ticks = list(range(0, last + 1, 1 if last <= 12 else -(-last // 10)))
    figure.update_xaxes(
        tickvals=ticks,
        ticktext=["base" if number == 0 else str(number) for number in ticks],
        title={"text": f"iteration{note and f' ({note})'}", "font": {"size": 13}, "standoff": 6},
        range=[-0.5, max(1, last) + 0.5],
    )
    return figure


def share_axis(figure: go.Figure, at_least: float) -> None:
    """From 0 to what is drawn; `at_least` percent are shown, for small shares look small."""
    figure.update_yaxes(
        rangemode="tozero", autorangeoptions={"include": [0, at_least], "clipmax": 104}
    )


def band_colour(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def add_band(figure: go.Figure, x: list[int], low: list[float], high: list[float],
             colour: str, group: str) -> None:  # fmt: skip
    """The 95 % band of a line, drawn before it."""
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=band_colour(colour),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=group,
        name="95 % band",
    )


def say_nothing(figure: go.Figure, words: str) -> go.Figure:
    """Words instead of a drawing."""
    place = {"xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5, "showarrow": False}
    figure.update_layout(annotations=[{"text": words, **place}])
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
