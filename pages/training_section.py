"""The part of the Trends tab on one iteration: its training curves, live, and its yield."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from sqlmodel import Session

from pages import live
from pages.drawings import Place, drawn, render_drawings
from pages.format import caption, count, text
from pages.funnel import funnel_bars
from pages.shared import Kept
from pages.training_curves import METRICS, PANELS, curve
from storage import curves, db, health, queries
from storage.health import Training

NEWEST = 0  # in the picker; the base, which has this number, is never trained
MAX_POINTS = 500  # a series, on the page; the API gives up to 1,000
NUM_OUTPUTS = 6  # picker, section, note, curves, funnel, versions
FUNNEL_S = 15.0  # it is counted again after that: pairs may have been imported
COUNTING = ("sample", "execute")  # phases in which the yield changes as they go on
PLACES = [Place(panel.key, panel.title, panel.about) for panel in PANELS]
_curves_of: Kept[tuple[live.Part, live.Part]] = Kept(16)
_funnels_of: Kept[live.Part] = Kept(16)


@dataclass(frozen=True)
class Versions:
    """What a visitor has seen: each part is sent again when its version is another."""

    run_id: int | None
    iterations: tuple[int, ...]
    curves: Training | None
    funnel: Any


def chosen(found: Sequence[Training], picked: int | None) -> Training | None:
    """The picked one; else the newest that has steps, else the newest."""
    with_steps = [training for training in found if training.last_step is not None]
    following = (with_steps or found)[-1:]
    return next(iter([t for t in found if picked and t.number == picked] or following), None)


def note(shown: Training, num_drawn: int) -> str:
    """How far the training is, and what it was given."""
    name = f"<b>Iteration {shown.number}</b>"
    if shown.last_step is None:
        return f'<div class="note">{name} has not begun to train.</div>'
    parts = [f"{name}, step {count(shown.last_step)}."]
    if 1 < num_drawn < shown.last_step:
        parts.append(f"Drawn are the lowest, highest and mean values of {count(num_drawn)} parts.")
    return f'<div class="note">{" ".join(parts + _facts(shown.facts))}</div>'


def show_section(
    run_id: int | None, picked: int | None = NEWEST, seen: Versions | None = None
) -> list[Any]:
    """The section's outputs; each skips when the visitor has `seen` its version already."""
    picked = followed(run_id, picked, seen)
    if seen and seen.run_id != run_id:
        seen = None
    with db.open_session() as session:
        now, shown = _versions(session, run_id, picked)
        outputs: list[Any] = [gr.skip()] * NUM_OUTPUTS
        if seen == now:
            return outputs
        if seen is None or seen.iterations != now.iterations:
            outputs[0] = _picker(now.iterations, picked, is_fresh=seen is None)
            outputs[1] = gr.Column(visible=bool(now.iterations))
        outputs[5] = now
        if shown:
            about, lines, bars = _parts(session, now, shown).values()
            if seen is None or seen.curves != now.curves:
                outputs[2], outputs[3] = about.value, lines.value
            if seen is None or seen.funnel != now.funnel:
                outputs[4] = bars.value
    return outputs


def followed(run_id: int | None, picked: int | None, seen: Versions | None) -> int | None:
    """Of another run than was `seen`, the newest iteration is."""
    return NEWEST if seen and seen.run_id != run_id else picked


def section_parts(session: Session, run_id: int | None, picked: int | None) -> live.Parts:
    """The section's texts and charts, for a page that looks on."""
    now, shown = _versions(session, run_id, picked)
    return _parts(session, now, shown) if shown else {}


def _versions(
    session: Session, run_id: int | None, picked: int | None = NEWEST
) -> tuple[Versions, Training | None]:
    """What there is to see now, and the training that is shown."""
    found = health.trainings(session, run_id=run_id) if run_id else []
    shown = chosen(found, picked)
    numbers = tuple(training.number for training in found)
    funnel = _funnel_version(session, run_id, shown)
    return Versions(run_id, numbers, _visible(shown), funnel), shown


def render_section() -> list[Any]:
    """Lay the section out: its outputs, the picker first and the versions last."""
    with gr.Column(visible=False, elem_id="training") as section:
        with gr.Row(elem_id="training-head"):
            gr.HTML(caption("Training", "a point an optimiser step, live while it runs"))
            picker = gr.Dropdown(
                choices=[("newest", NEWEST)],
                value=NEWEST,
                label="Iteration",
                scale=0,
                min_width=170,
                elem_id="training-picker",
            )
        about = gr.HTML("", js_on_load=live.on_load("training-note"), elem_id="training-note")
        lines = render_drawings(PLACES, "training-curves")
        gr.HTML(caption("Yield", "what became of this iteration's tasks and programs"))
        bars = gr.HTML("", js_on_load=live.on_load("training-funnel"), elem_id="training-funnel")
    return [picker, section, about, lines, bars, gr.State(None)]


def _picker(numbers: Sequence[int], picked: int | None, *, is_fresh: bool) -> gr.Dropdown:
    """While it is followed the value stays as the visitor has it."""
    choices = [("newest", NEWEST), *((f"iteration {number}", number) for number in numbers)]
    if is_fresh:
        return gr.Dropdown(choices=choices, value=picked if picked in numbers else NEWEST)
    return gr.Dropdown(choices=choices)


def _parts(session: Session, now: Versions, shown: Training) -> live.Parts:
    where = db.current().home
    about, lines = _curves_of.of(
        (where, now.run_id, repr(now.curves)), lambda: _curves(session, now.run_id, shown)
    )
    lately = time.monotonic() // FUNNEL_S
    bars = _funnels_of.of(
        (where, now.run_id, now.funnel, lately), lambda: _funnel(session, now.run_id, shown)
    )
    return {"training-note": about, "training-curves": lines, "training-funnel": bars}


def _funnel(session: Session, run_id: int | None, shown: Training) -> live.Part:
    assert run_id, "a training is of a run"
    return live.part(funnel_bars(health.funnel(session, run_id=run_id, number=shown.number)))


def _curves(session: Session, run_id: int | None, shown: Training) -> tuple[live.Part, live.Part]:
    """The note, and the charts, which are none before the first step."""
    if shown.last_step is None:
        return live.part(note(shown, 0)), drawn(f"{run_id}-{shown.number}-0", {})
    found = curves.read_curves(
        session, iteration_id=shown.iteration_id, metrics=METRICS, max_points=MAX_POINTS
    )
    of = f"{run_id}-{shown.number}"
    figures = {panel.key: curve(panel, found, of) for panel in PANELS}
    return live.part(note(shown, len(found.means))), drawn(f"{of}-{shown.last_step}", figures)


def _visible(shown: Training | None) -> Training | None:
    """The same one until a screen would show a difference: a long training is read in a second."""
    if shown is None or shown.last_step is None:
        return shown
    grain = max(1, shown.last_step // MAX_POINTS)
    return replace(shown, last_step=shown.last_step // grain * grain)


def _facts(facts: dict[str, Any] | None) -> list[str]:
    if facts is None:
        return []
    parts = []
    if dropped := facts["num_dropped"]:
        pairs = "1 pair was" if dropped == 1 else f"{count(dropped)} pairs were"
        parts.append(f"{pairs} too long and left out.")
    stock, run = facts["stock_tokens"], facts["run_tokens"]
    if facts["fallback"]:
        parts.append(f"<b>Stock TRL batches:</b> {text(facts['fallback'])}.")
    elif stock and run:
        parts.append(
            f"<b>Prefix sharing:</b> {stock / run:.1f} times fewer tokens than stock "
            f"({count(run)} instead of {count(stock)} a pass over the pairs)."
        )
    return parts


def _funnel_version(session: Session, run_id: int | None, shown: Training | None) -> Any:
    """Changes when the yield does; while programs are counted, in steps of a twentieth."""
    if shown is None or run_id is None:
        return None
    now = queries.progress(session, run_id=run_id)
    phase = None
    if now and now.iteration == shown.number:
        done = 20 * now.done // max(1, now.total) if now.phase in COUNTING else 0
        phase = (now.phase, done)
    return shown.number, phase, shown.facts is not None, health.newest_review(session)
