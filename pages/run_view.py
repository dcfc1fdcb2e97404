"""One run as plain data: what the Refine page shows, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from codelutra.evaluation import paired_gain
from pages.estimate import TimeLeft, time_left
from storage import db, gauges, health, jobs, queries, run_status, steering
from storage.at_work import worker_at_work
from storage.health import RaisedAlert
from storage.models import Progress, Run, Sample
from storage.run_status import RunStatus
from storage.trend import TrendPoint, run_trend

AT_WORK = (RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.CANCELLING)
ACTIVE = (*AT_WORK, RunStatus.INTERRUPTED)
LOG_LINES = 200
ALERTS = 3  # shown beside the run; the Trends tab has all
LATEST = 6  # programs shown with their evidence


@dataclass(frozen=True)
class RunRow:
    """A run in the list of runs."""

    id: int
    name: str
    status: RunStatus
    iterations: int
    created_at: datetime
    num_tasks: int = 0
    num_weak: int = 0  # of them with a weak proof
    num_quarantined: int = 0  # tasks of the set that it does not use
    is_unfenced: bool = False
    is_smoke: bool = False  # one task, to see that it works: no result
    tags: str = ""

    @property
    def title(self) -> str:
        return f"Run {self.id}: {self.name}, {self._what}"

    @property
    def label(self) -> str:
        tags = "".join(f" #{tag}" for tag in self.tags.split())
        return f"{self.title} ({self.status}){tags}"

    @property
    def _what(self) -> str:
        if self.is_smoke:
            return "smoke test"
        many = {0: "base alone", 1: "1 iteration"}
        return many.get(self.iterations, f"{self.iterations} iterations")


@dataclass(frozen=True)
class Gain:
    """The newest policy against the base, on the same tasks; shares with a 95 % interval."""

    difference: float
    low: float
    high: float
    num_tasks: int

    @property
    def is_real(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class RunView:
    """Everything the Refine page says about one run."""

    row: RunRow
    config: dict[str, Any]
    num_train: int
    num_validation: int
    num_heldout: int
    progress: Progress | None
    trend: list[TrendPoint]
    gain: Gain | None
    log: list[tuple[datetime, str]]
    error: str | None
    latest: Sequence[Sample]  # graded, newest first; of the iteration looked at, if one is
    note: str
    ends_after: int  # iteration, as planned or as asked
    machine: dict[str, Any] | None  # what it does now, as the worker saw it
    worker_pid: int | None
    ahead: list[int]  # runs that go first, when this one is queued
    alerts: Sequence[RaisedAlert] = ()  # the newest of them, newest first
    num_alerts: int = 0
    awaits_review_of: int | None = None  # the iteration, of a run that was paused for it
    looked_at: int | None = None  # the iteration that a person has chosen

    @property
    def status(self) -> RunStatus:
        return self.row.status

    @property
    def scored(self) -> list[TrendPoint]:
        return [point for point in self.trend if point.pass_at_1 is not None]

    @property
    def left(self) -> TimeLeft:
        return time_left(self.progress, self.trend, self.ends_after)

    @property
    def is_cut(self) -> bool:
        """Whether people want it to end before what was planned."""
        return self.ends_after < self.row.iterations

    @property
    def can_end_here(self) -> bool:
        """Also: whether that can be taken back."""
        return self.status in steering.ENDABLE and (
            self.is_cut or (self.progress.iteration if self.progress else 0) < self.row.iterations
        )

    @property
    def can_pause(self) -> bool:
        return self.status in run_status.PAUSABLE

    @property
    def can_cancel(self) -> bool:
        return self.status in run_status.CANCELLABLE

    @property
    def can_resume(self) -> bool:
        # An interrupted run goes on by itself, unless another version of the worker began it.
        stuck = self.status is RunStatus.INTERRUPTED and self.worker_pid is not None
        return stuck or self.status in run_status.STOPPED


def list_rows(
    session: Session, *, limit: int = 50, wanted: int | None = None, words: Sequence[str] = ()
) -> list[RunRow]:
    """Those with the words, newest first; the run `wanted` is among them in any case."""
    runs = list(queries.list_runs(session, limit=limit, words=words))
    if wanted and wanted not in [run.id for run in runs]:
        older = queries.get_run(session, run_id=wanted)
        runs += [older] if older else []
    statuses = jobs.statuses([run.id for run in runs if run.id])
    return [_row(run, statuses[run.id]) for run in runs if run.id in statuses]


def run_exists(run_id: int) -> bool:
    with db.open_session() as session:
        return queries.get_run(session, run_id=run_id) is not None


def any_run_exists() -> bool:
    with db.open_session() as session:
        return queries.count_runs(session) > 0


def first_shown(rows: Sequence[RunRow]) -> int | None:
    """The run a visitor sees first: the newest one under way, else the newest queued, else any."""
    for wanted in (ACTIVE, (RunStatus.QUEUED,)):
        for row in rows:
            if row.status in wanted:
                return row.id
    return rows[0].id if rows else None


def load_view(
    session: Session, *, run_id: int, rows: Sequence[RunRow] = (), looked_at: int | None = None
) -> RunView | None:
    """None when there is no such run. `rows` saves asking for the statuses again."""
    run = queries.get_run(session, run_id=run_id)
    if run is None:
        return None
    row = next((row for row in rows if row.id == run_id), None) or _row(run, jobs.status(run_id))
    worker = worker_at_work()
    trend = run_trend(session, run_id=run_id)
    return RunView(
        row=row,
        config=run.config,
        num_train=run.num_train,
        num_validation=run.num_validation,
        num_heldout=run.num_heldout,
        progress=queries.progress(session, run_id=run_id),
        trend=trend,
        gain=newest_gain(session, run_id=run_id, trend=trend),
        log=[
            (line.created_at, line.message)
            for line in queries.log_lines(session, run_id=run_id, limit=LOG_LINES)
        ],
        latest=queries.latest_graded(session, run_id=run_id, limit=LATEST, number=looked_at),
        note=run.note,
        ends_after=steering.last_iteration(session, run=run),
        machine=gauges.reading(session) if row.status in AT_WORK else None,
        looked_at=looked_at,
        error=jobs.error(run_id) if row.status is RunStatus.FAILED else None,
        worker_pid=worker.pid if worker else None,
        ahead=_ahead(session, row),
        alerts=health.run_alerts(session, run_id=run_id, limit=ALERTS),
        num_alerts=health.count_alerts(session, run_id=run_id),
        awaits_review_of=review_awaited(session, run, row.status),
    )


def review_awaited(session: Session, run: Run, status: RunStatus) -> int | None:
    return queries.awaited_review(session, run=run) if status is RunStatus.PAUSED else None


def newest_gain(session: Session, *, run_id: int, trend: Sequence[TrendPoint]) -> Gain | None:
    """None until an iteration is scored."""
    scored = [point.iteration for point in trend if point.pass_at_1 is not None]
    if len(scored) < 2:
        return None
    base = queries.heldout_correct(session, run_id=run_id, number=scored[0])
    newest = queries.heldout_correct(session, run_id=run_id, number=scored[-1])
    both = sorted(base.keys() & newest.keys())
    if not both:
        return None
    difference, low, high = paired_gain([base[t] for t in both], [newest[t] for t in both])
    return Gain(difference, low, high, len(both))


def _row(run: Run, status: RunStatus) -> RunRow:
    assert run.id is not None
    return RunRow(
        id=run.id,
        name=run.name,
        status=status,
        iterations=int(run.config.get("iterations", 1)),
        created_at=run.created_at,
        num_tasks=run.num_train + run.num_validation + run.num_heldout,
        num_weak=run.num_weak,
        num_quarantined=len(run.config.get("quarantined", ())),
        is_unfenced=run.is_unfenced,
        is_smoke=bool(run.config.get("smoke")),
        tags=run.tags,
    )


def _ahead(session: Session, row: RunRow) -> list[int]:
    """The runs that go first: the one that is taken up, and those before it in the queue."""
    if row.status is not RunStatus.QUEUED:
        return []
    order = steering.waiting()
    before = order[: order.index(row.id)] if row.id in order else order
    rows = list_rows(session)
    return [r.id for r in reversed(rows) if r.status in ACTIVE and r.id not in before] + before
