"""What the Refine tab shows of a look at the runs, as the outputs of an event."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import gradio as gr

from pages import live
from pages.place import can_run
from pages.programs import programs
from pages.run_list import queue_list, settings_of
from pages.run_panel import log_tail, panel
from pages.run_view import RunRow, RunView, first_shown, list_rows, load_view
from pages.shared import news
from storage import db, queries, steering

NUM_OUTPUTS = 17  # those of `show`
NOTES = slice(11, 14)  # of them: what a person may be writing
END_HERE, GO_ON = "Stop after this iteration", "Go on to the end"


@dataclass(frozen=True)
class Look:
    """What a visitor looks at: a run, an iteration of it, and which runs are offered."""

    run_id: int | None = None
    iteration: int | None = None
    words: str = ""


@dataclass(frozen=True)
class _Seen:
    """What is there to be shown."""

    view: RunView | None
    rows: Sequence[RunRow]  # the runs that are offered
    num_found: int  # of the runs; others are offered because they are looked at
    num_runs: int
    waiting: str  # the runs that wait, as HTML

    @property
    def picker(self) -> dict[str, Any]:
        is_cut = self.num_found < self.num_runs
        return {
            "choices": [(row.label, row.id) for row in self.rows],
            "visible": bool(self.rows),
            "info": f"{self.num_found:,} of {self.num_runs:,} runs are listed" if is_cut else None,
        }

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """Pause, resume, end here or go on, cancel, clone."""
        view = self.view
        if view is None:
            return [{"interactive": False}] * 5
        name = GO_ON if view.is_cut and view.can_end_here else END_HERE
        return [
            {"interactive": view.can_pause},
            {"interactive": view.can_resume and can_run()},
            {"interactive": view.can_end_here, "value": name},
            {"interactive": view.can_cancel},
            {"interactive": True},
        ]

    @cached_property
    def texts(self) -> dict[str, live.Part]:
        """By the names of their components."""
        return {
            "run-panel": live.part(panel(self.view)),
            "run-queue": live.part(self.waiting),
            "run-programs": live.part(programs(self.view.latest if self.view else [])),
            "run-log": live.part(log_tail(self.view)),
        }

    @cached_property
    def mark(self) -> str:
        """Of all that is no text."""
        shown = self.view and self.view.row.id
        return live.version(shown, self.picker, self.buttons, self.num_runs > 1)


def show(look: Look, *, keeps_notes: bool = False, lately: bool = False) -> list[Any]:
    """The run view's outputs; what a person may be writing is left alone with `keeps_notes`.

    `lately`: as others saw it a moment ago; not for who has just changed something.
    """
    seen = _seen_lately(look) if lately else _see(look)
    shown = seen.view.row.id if seen.view else None
    return _outputs(replace(look, run_id=shown), seen, {"value": shown}, keeps_notes=keeps_notes)


def renew(look: Look) -> list[Any]:
    """`show` for a page that asks by itself.

    It may come late, and must not turn the picker back to what was shown before.
    """
    if look.run_id is None:
        return show(look, lately=True)
    return _outputs(look, _seen_lately(look), {}, keeps_notes=True)


def screen(params: live.Params) -> live.Screen:
    """The same for a page that looks on, as far as it is text."""
    run, at = params.get("run", ""), params.get("iteration", "")
    run_id, iteration = (int(given) if given.isdecimal() else None for given in (run, at))
    seen = _seen_lately(Look(run_id, iteration, params.get("words", "")))
    return live.Screen(seen.texts, seen.mark)


def _outputs(look: Look, seen: _Seen, picked: dict[str, Any], *, keeps_notes: bool) -> list[Any]:
    view, texts = seen.view, seen.texts
    notes = [gr.skip()] * 3
    if not keeps_notes:
        notes = [settings_of(view), view.row.tags if view else "", view.note if view else ""]
    return [
        gr.Dropdown(**seen.picker, **picked),
        texts["run-panel"].value,
        gr.Column(visible=view is not None),
        texts["run-queue"].value,
        texts["run-programs"].value,
        texts["run-log"].value,
        *(gr.Button(**button) for button in seen.buttons),
        *notes,
        gr.Textbox(visible=seen.num_runs > 1),
        look,
        live.asks("refine", seen.mark, run=look.run_id, iteration=look.iteration, words=look.words),
    ]


def _seen_lately(look: Look) -> _Seen:
    seen: _Seen = news.of(("refine", db.current().home, look), lambda: _see(look))
    return seen


def _see(look: Look) -> _Seen:
    with db.open_session() as session:
        found = list_rows(session, words=look.words.split())
        rows = found
        if look.run_id and look.run_id not in [row.id for row in found]:
            rows = found + list_rows(session, limit=0, wanted=look.run_id)
        shown = look.run_id or first_shown(rows)
        view = None
        if shown:
            view = load_view(session, run_id=shown, rows=rows, looked_at=look.iteration)
        order = steering.waiting()
        waiting = queue_list(list_rows(session) if order else [], order)
        return _Seen(view, rows, len(found), queries.count_runs(session), waiting)
