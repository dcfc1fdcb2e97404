"""Plotly figures that stay on the page and are changed in place: no flicker, and a zoom is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import plotly.graph_objects as go

from pages import live
from pages.format import text

SCRIPT = Path(__file__).parent / "curves.js"


@dataclass(frozen=True)
class Place:
    key: str  # in the page's address, too
    title: str
    about: str


def render_drawings(places: Sequence[Place], elem_id: str, classes: str = "") -> gr.HTML:
    """A place for each drawing; it never changes, so the drawings stay where they are."""
    return gr.HTML(
        "",
        html_template=_html(places, classes),
        js_on_load=SCRIPT.read_text() + live.on_load(elem_id, "drawWhenLoaded"),
        elem_id=elem_id,
    )


def drawn(version: str, figures: Mapping[str, go.Figure]) -> live.Part:
    """What `curves.js` draws; nothing is shown where there is no figure."""
    plain = {key: json.loads(figure.to_json() or "{}") for key, figure in figures.items()}
    return live.Part(version, json.dumps({"version": version, "figures": plain}))


def _html(places: Sequence[Place], classes: str) -> str:
    figures = "".join(
        f'<figure data-curve="{place.key}"><figcaption>{text(place.title)} '
        f'<small>{text(place.about)}</small> <button class="here" data-chart="{place.key}" '
        f'title="Put this chart into the address of the page" '
        f'aria-label="Link to {text(place.title)}">#</button></figcaption><div></div></figure>'
        for place in places
    )
    return f'<div class="curves {classes}" hidden>{figures}</div>'
