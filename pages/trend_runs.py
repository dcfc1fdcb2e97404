"""Which runs the Trends tab shows, and whether there is something new to draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from pages import ablation, live
from pages.overlay import RunLine, load_lines, version_of
from pages.run_view import RunRow, first_shown, list_rows
from pages.training_section import versions
from storage import db, health
from storage.health import RaisedAlert


@dataclass(frozen=True)
class Shown:
    rows: Sequence[RunRow]  # the runs that are offered
    main: RunRow | None
    lines: list[RunLine]  # of it first, then of those that are drawn beside it
    raised: Sequence[RaisedAlert]

    @property
    def version(self) -> Any:
        listed = tuple((row.id, row.label) for row in self.rows)
        return (listed, version_of(self.lines), len(self.raised))


def shown_runs(session: Session, run_id: int | None, others: Sequence[int] | None) -> Shown:
    rows = _listed(session, run_id, others)
    by_id = {row.id: row for row in rows}
    main = by_id.get(run_id or 0) or by_id.get(first_shown(rows) or 0)
    beside = [by_id[id] for id in others or () if main and id in by_id and id != main.id]
    lines = load_lines(session, [main, *beside] if main else [])
    raised = health.run_alerts(session, run_id=main.id) if main else []
    return Shown(rows, main, lines, raised)


def _listed(session: Session, run_id: int | None, others: Sequence[int] | None) -> list[RunRow]:
    """The newest runs and those that are wanted; smoke tests are no results, so only if wanted."""
    rows = list_rows(session, wanted=run_id)
    for other in others or ():
        if other not in [row.id for row in rows]:
            rows += list_rows(session, limit=0, wanted=other)
    return [row for row in rows if not row.is_smoke or row.id == run_id]


def screen(params: live.Params) -> live.Screen:
    """For a page that looks on; it has no texts that come by themselves."""
    run, others = params.get("run", ""), params.get("others", "").split(",")
    run_id = int(run) if run.isdecimal() else None
    return live.Screen({}, mark_of(run_id, [int(each) for each in others if each.isdecimal()]))


def mark_of(run_id: int | None, others: Sequence[int] | None) -> str:
    with db.open_session() as session:
        shown = shown_runs(session, run_id, others)
        main = shown.main.id if shown.main else None
        group = ablation.load(session, run_id=main) if main else None
        section, _ = versions(session, main)
        return live.version(shown.version, section, group and group.version)
