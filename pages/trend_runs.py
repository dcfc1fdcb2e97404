"""Which runs the Trends tab shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from pages import ablation, live
from pages.overlay import RunLine, load_lines
from pages.run_view import RunRow, first_shown, list_rows
from storage import health, jobs
from storage.health import RaisedAlert
from storage.run_status import RunStatus


@dataclass(frozen=True)
class Shown:
    rows: Sequence[RunRow]  # the runs that are offered
    main: RunRow | None
    lines: list[RunLine]  # of it first, then of those that are drawn beside it
    raised: Sequence[RaisedAlert]
    failure: str | None  # why the run failed

    @property
    def main_id(self) -> int | None:
        return self.main.id if self.main else None

    @property
    def ids(self) -> list[int]:
        return [line.row.id for line in self.lines]

    @property
    def version(self) -> str:
        """Of all that compares the iterations."""
        return live.version(self._offered, self.lines, self.raised, self.failure)

    @property
    def _offered(self) -> list[tuple[int, str]]:
        return [(row.id, row.label) for row in self.rows]

    def mark(self, session: Session) -> str:
        """Of what is neither text nor chart: pickers, what changed, an ablation."""
        group = trainings = None
        if self.main_id:
            group = ablation.load(session, run_id=self.main_id)
            trainings = [each.number for each in health.trainings(session, run_id=self.main_id)]
        scored = [[point.iteration for point in line.scored] for line in self.lines]
        return live.version(self._offered, self.ids, scored, trainings, group and group.version)


def shown_runs(session: Session, run_id: int | None, others: Sequence[int] | None) -> Shown:
    rows = _listed(session, run_id, others)
    by_id = {row.id: row for row in rows}
    main = by_id.get(run_id or 0) or by_id.get(first_shown(rows) or 0)
    beside = [by_id[id] for id in others or () if main and id in by_id and id != main.id]
    lines = load_lines(session, [main, *beside] if main else [])
    raised = health.run_alerts(session, run_id=main.id) if main else []
    failure = jobs.error(main.id) if main and main.status is RunStatus.FAILED else None
    return Shown(rows, main, lines, raised, failure)


def _listed(session: Session, run_id: int | None, others: Sequence[int] | None) -> list[RunRow]:
    """The newest runs and those that are wanted; smoke tests are no results, so only if wanted."""
    rows = list_rows(session, wanted=run_id)
    for other in others or ():
        if other not in [row.id for row in rows]:
            rows += list_rows(session, limit=0, wanted=other)
    return [row for row in rows if not row.is_smoke or row.id == run_id]
