"""What the Refine tab shows of a look at the runs, as the outputs of an event."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from pages.place import can_run
from pages.programs import programs
from pages.run_list import queue_list, settings_of
from pages.run_panel import log_tail, panel
from pages.run_view import RunRow, RunView, first_shown, list_rows, load_view, run_version
from pages.shared import Shared
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
class _News:
    """Which run a look shows, and a value that changes when there is something new to show."""

    shown: int | None
    version: Any
    rows: Sequence[RunRow]
    num_found: int


@dataclass(frozen=True)
class _Drawn:
    """All outputs but the look and what was seen."""

    parts: list[Any]
    marks: list[str]  # what each of them says: equal marks, equal parts


@dataclass(frozen=True)
class Seen:
    """What a visitor has been shown last."""

    shown: int | None
    version: Any
    marks: list[str]


def show(look: Look, *, keeps_notes: bool = False) -> list[Any]:
    """The run view's outputs; what a person may be writing is left alone with `keeps_notes`."""
    news = _read(look)
    drawn = _draw(look, news)
    parts = list(drawn.parts)
    if keeps_notes:
        parts[NOTES] = [gr.skip()] * 3
    return [*parts, *_seen(look, news, drawn)]


class RunNews:
    """`show` for the timers of all visitors: what they all see is read and drawn once."""

    def __init__(self) -> None:
        self._news: Shared[_News] = Shared()
        self._drawn: Shared[_Drawn] = Shared()

    def show(self, look: Look, seen: Seen | None) -> list[Any]:
        """Skips what the visitor has `seen` already; a changed button costs more than a text."""
        news = self._news.of(look, lambda: _read(look))
        if seen and news.version == seen.version:
            return [gr.skip()] * NUM_OUTPUTS
        drawn = self._drawn.of(repr(news.version), lambda: _draw(look, news, is_tick=True))
        parts = list(drawn.parts)
        if seen and seen.shown == news.shown:
            parts[NOTES] = [gr.skip()] * 3
            for place, mark in enumerate(seen.marks):
                if mark == drawn.marks[place]:
                    parts[place] = gr.skip()
        return [*parts, *_seen(look, news, drawn)]

    def forget(self) -> None:
        """Somebody has just changed something."""
        self._news.forget()
        self._drawn.forget()


def _read(look: Look) -> _News:
    with db.open_session() as session:
        found = list_rows(session, words=look.words.split())
        rows = found
        if look.run_id and look.run_id not in [row.id for row in found]:
            rows = found + list_rows(session, limit=0, wanted=look.run_id)
        shown = look.run_id or first_shown(rows)
        version = (shown, look, run_version(session, run_id=shown, rows=rows))
        return _News(shown, version, rows, len(found))


def _draw(look: Look, news: _News, *, is_tick: bool = False) -> _Drawn:
    """`is_tick`: it may come late, and must not turn the picker back to what was shown before."""
    rows = news.rows
    with db.open_session() as session:
        view = None
        if news.shown:
            view = load_view(session, run_id=news.shown, rows=rows, looked_at=look.iteration)
        order = steering.waiting()
        waiting = list_rows(session) if order else []
        num_runs = queries.count_runs(session)
    picked: dict[str, Any] = {}
    if not (is_tick and look.run_id):
        picked["value"] = view.row.id if view else None
    is_cut = news.num_found < num_runs
    picker = gr.Dropdown(
        choices=[(row.label, row.id) for row in rows],
        **picked,
        visible=bool(rows),
        info=f"{news.num_found:,} of {num_runs:,} runs are listed" if is_cut else None,
    )
    parts = [
        picker,
        panel(view),
        gr.Column(visible=view is not None),
        queue_list(waiting, order),
        programs(view.latest if view else []),
        log_tail(view),
        *_buttons(view),
        *_notes(view),
        gr.Textbox(visible=num_runs > 1),
    ]
    return _Drawn(parts, [_mark(part) for part in parts])


def _mark(part: Any) -> str:
    return part if isinstance(part, str) else repr(getattr(part, "constructor_args", part))


def _seen(look: Look, news: _News, drawn: _Drawn) -> tuple[Look, Seen]:
    return replace(look, run_id=news.shown), Seen(news.shown, news.version, drawn.marks)


def _buttons(view: RunView | None) -> list[gr.Button]:
    return [
        gr.Button(interactive=bool(view and view.can_pause)),
        gr.Button(interactive=bool(view and view.can_resume and can_run())),
        gr.Button(
            GO_ON if view and view.is_cut and view.can_end_here else END_HERE,
            interactive=bool(view and view.can_end_here),
        ),
        gr.Button(interactive=bool(view and view.can_cancel)),
        gr.Button(interactive=view is not None),
    ]


def _notes(view: RunView | None) -> list[Any]:
    return [settings_of(view), view.row.tags if view else "", view.note if view else ""]
