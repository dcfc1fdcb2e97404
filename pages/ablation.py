"""An ablation on the Trends tab: one chart and one table of all its runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import plotly.graph_objects as go
from pydantic import ValidationError
from sqlmodel import Session

from codelutra import ablation
from codelutra.config import RefineConfig
from pages.comparison import Group
from pages.drawings import Place, drawn, render_drawings
from pages.figures import ACCENT, empty_figure
from pages.format import (
    NO_VALUE,
    caption,
    chip,
    count,
    interval,
    percent,
    points,
    signed_interval,
    text,
)
from storage import ablations, db, jobs
from storage.flips import heldout_flips
from storage.models import Iteration, Run
from storage.queries import iterations
from storage.run_status import RunStatus

NUM_OUTPUTS = 4  # section, drawing, table, version
PLACE = Place("ablation", "Ablation", "held-out pass@1 of each variant with its 95 % interval")
ROW = 34  # pixels of a variant
SPREAD = 0.5  # of a row, over which the points of several seeds lie


@dataclass(frozen=True)
class Variant:
    """One run of the group, with the last of its policies that is evaluated."""

    run_id: int
    label: str
    seed: int
    status: RunStatus
    last: Iteration | None
    gain: Group | None  # over the first variant


@dataclass(frozen=True)
class Ablation:
    id: int
    name: str
    base: Iteration | None  # the base model, which is the same in all
    variants: list[Variant]

    @property
    def has_seeds(self) -> bool:
        return len({variant.seed for variant in self.variants}) > 1

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys(variant.label for variant in self.variants))

    @property
    def version(self) -> list[Any]:
        return [self.id, *((v.run_id, v.status.value, v.last and v.last.number)
                           for v in self.variants)]  # fmt: skip


def load(session: Session, *, run_id: int) -> Ablation | None:
    """The group that a run belongs to; None where it belongs to none."""
    group = ablations.of_run(session, run_id=run_id)
    if group is None or group.id is None:
        return None
    runs = [run for run in ablations.runs_of(session, ablation_id=group.id) if run.id]
    try:
        configs = [RefineConfig.model_validate(run.config) for run in runs]
    except ValidationError:  # of a version that had other settings
        return None
    paths = ablation.varied(configs)
    status = jobs.statuses([run.id for run in runs if run.id])
    scored = {run.id: _scored(session, run) for run in runs}
    first = {c.seed: scored[run.id] for run, c in reversed(list(zip(runs, configs, strict=True)))}
    variants = [
        Variant(
            run.id or 0,
            ablation.label(config, paths),
            config.seed,
            status[run.id or 0],
            _last(scored[run.id]),
            _gain(session, _last(first[config.seed]), _last(scored[run.id])),
        )
        for run, config in zip(runs, configs, strict=True)
    ]
    base = next((rows[0] for rows in scored.values() if rows and rows[0].number == 0), None)
    return Ablation(group.id, group.name, base, variants)


def _scored(session: Session, run: Run) -> list[Iteration]:
    return [row for row in iterations(session, run_id=run.id or 0) if row.pass_at_1 is not None]


def _last(rows: Sequence[Iteration]) -> Iteration | None:
    """The newest that was trained."""
    return rows[-1] if rows and rows[-1].number else None


def _gain(session: Session, before: Iteration | None, after: Iteration | None) -> Group | None:
    """Of the tasks that both were graded on."""
    if before is None or after is None or before.id == after.id:
        return None
    assert before.id
    assert after.id
    flips = heldout_flips(session, before=before.id, after=after.id).flips
    return Group("", flips) if flips else None


def figure(group: Ablation) -> go.Figure:
    """Held-out pass@1 of each run with its 95 % interval; a row a variant, a point a seed."""
    chart = empty_figure(90 + ROW * len(group.labels), revision=f"ablation-{group.id}")
    rows = {label: len(group.labels) - place for place, label in enumerate(group.labels)}
    shown = [variant for variant in group.variants if variant.last]
    chart.add_scatter(
        x=[_percent(variant.last.pass_at_1) for variant in shown if variant.last],
        y=[rows[variant.label] + _offset(group, variant) for variant in shown],
        mode="markers",
        marker={"size": 9, "color": ACCENT},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_percent(_end(v.last, "ci_high")) for v in shown],
            "arrayminus": [-_percent(_end(v.last, "ci_low")) for v in shown],
            "thickness": 1.5,
            "color": ACCENT,
        },
        customdata=[
            [v.run_id, v.seed, interval(v.last.ci_low, v.last.ci_high), v.last.num_tasks]
            for v in shown if v.last
        ],
        hovertemplate="run %{customdata[0]}, seed %{customdata[1]}: %{x:.1f}%<br>"
        "95 % interval %{customdata[2]}<br>n = %{customdata[3]}<extra></extra>",
        showlegend=False,
    )  # fmt: skip
    if group.base and group.base.pass_at_1 is not None:
        line = {"color": "#8a8f98", "width": 1, "dash": "dot"}
        chart.add_vline(x=_percent(group.base.pass_at_1), line=line, annotation_text="base")
    chart.update_xaxes(ticksuffix="%", showgrid=True, rangemode="tozero", title=None)
    chart.update_yaxes(
        tickvals=list(rows.values()),
        ticktext=[text(label) for label in rows],
        ticksuffix="",
        range=[0.4, len(rows) + 0.6],
        automargin=True,
    )
    return chart


def _end(row: Iteration | None, name: str) -> float:
    """How far an end of the interval is from the score."""
    return (getattr(row, name) or 0.0) - (row.pass_at_1 or 0.0) if row else 0.0


def _percent(share: float | None) -> float:
    return round(100 * (share or 0.0), 3)


def _offset(group: Ablation, variant: Variant) -> float:
    seeds = sorted({each.seed for each in group.variants if each.label == variant.label})
    place = seeds.index(variant.seed) - (len(seeds) - 1) / 2
    return -SPREAD * place / max(1, len(seeds) - 1)


def table(group: Ablation) -> str:
    """A row a run: its score, and what it gains over the first variant of the same seed."""
    names = ("Variant", *(["Seed"] if group.has_seeds else []), "Run", "Status", "Iteration",
             "pass@1", "Gain over the first", "Syntax errors")  # fmt: skip
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_row(group, variant) for variant in group.variants)
    about = (
        "held-out pass@1 after the last iteration that is evaluated, with its 95 % interval; "
        "gains are of the same tasks"
    )
    return (
        f"{caption(f'Ablation: {group.name}', about)}"
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Ablation">'
        f'<table class="numbers ablation" data-ablation="{group.id}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_spread(group)}"
    )


def _row(group: Ablation, variant: Variant) -> str:
    last = variant.last
    score, gain, syntax, number = NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE
    if last:
        n = count(last.num_tasks or 0)
        score = (
            f"{percent(last.pass_at_1)} "
            f"<small>{interval(last.ci_low, last.ci_high)}, n = {n}</small>"
        )
        syntax, number = percent(last.syntax_error), str(last.number)
    if variant.gain:
        low, high = variant.gain.interval
        doubt = "" if low > 0 or high < 0 else ", may be chance"
        gain = f"{points(variant.gain.gain)} <small>{signed_interval(low, high)}{doubt}</small>"
    link = f'<a href="?tab=trends&amp;run={variant.run_id}">{variant.run_id}</a>'
    cells = [*([str(variant.seed)] if group.has_seeds else []), link, chip(variant.status), number,
             score, gain, syntax]  # fmt: skip
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr data-run="{variant.run_id}"><th scope="row">{text(variant.label)}</th>{body}</tr>'


def _spread(group: Ablation) -> str:
    """What a change of the seed alone does: no difference below it says anything."""
    parts = []
    for label in group.labels:
        found = [
            v.last.pass_at_1 for v in group.variants
            if v.label == label and v.last and v.last.pass_at_1 is not None
        ]  # fmt: skip
        if len(found) > 1:
            mean = sum(found) / len(found)
            parts.append(
                f"{text(label)}: mean {percent(mean)} of {len(found)} seeds, "
                f"{percent(min(found))} to {percent(max(found))}"
            )
    return f'<p class="faint" data-seeds>{"; ".join(parts)}.</p>' if parts else ""


def show_ablation(run_id: int | None, seen: Any = None) -> list[Any]:
    """The section's outputs; it is hidden for a run that belongs to no group."""
    with db.open_session() as session:
        group = load(session, run_id=run_id) if run_id else None
    version = group.version if group else []
    if version == seen:
        return [gr.skip()] * NUM_OUTPUTS
    if group is None:
        return [gr.Column(visible=False), "", "", version]
    chart = drawn(str(version), {PLACE.key: figure(group)}).value
    return [gr.Column(visible=True), chart, table(group), version]


def render_ablation() -> list[Any]:
    with gr.Column(visible=False, elem_id="ablation") as section:
        drawing = render_drawings([PLACE], "ablation-chart")
        rows = gr.HTML("", elem_id="ablation-table")
    return [section, drawing, rows, gr.State(None)]
