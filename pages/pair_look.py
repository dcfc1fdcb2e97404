"""What a visitor of the Pairs tab looks at: a filter, a place in its order, one pair. No HTML."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sqlmodel import Session

from codelutra.errors import CodeLutraError
from codelutra.tasks import Task
from pages.run_view import review_awaited
from pages.task_list import tasks_of
from storage import jobs, pair_queue, pairs, queries
from storage.models import Iteration, Run
from storage.pair_models import PreferencePair
from storage.pair_queue import ORDERS, PairFilter, Row
from storage.pairs import Evidence

TEXT_FILTERS = ("state", "task_id", "source", "rejected_verdict", "warning", "reviewer", "words")
# In the address: the tab's own, so that Tasks' `task` is another thing.
NAMES = {
    "iteration": "iteration", "state": "state", "task_id": "of", "source": "source",
    "rejected_verdict": "verdict", "warning": "warning", "reviewer": "reviewer",
    "words": "words", "order": "order",
}  # fmt: skip
START = {"state": "pending"}  # of a filter nobody has changed


@dataclass(frozen=True)
class Who:
    """Who looks: the name stands in the history, the token tells two browsers apart."""

    name: str = "desk"
    token: str = ""

    @property
    def holder(self) -> str:
        return f"{self.name}#{self.token}" if self.token else ""


NOBODY = Who()  # until the browser has said who it is


@dataclass(frozen=True)
class Look:
    filter: PairFilter
    pair_id: int | None = None
    # The pairs behind which the pages up to this one begin; the first page has none.
    pages: tuple[int, ...] = ()
    who: Who = NOBODY


@dataclass(frozen=True)
class Shown:
    """All that the tab says for a look."""

    look: Look
    run: Run | None
    rows: list[Row] = field(default_factory=list)
    has_more: bool = False
    evidence: Evidence | None = None
    counted: int = 0  # that the filter shows, up to COUNTED + 1
    is_cut: bool = False  # the words are in more pairs than were looked through
    pending: int = 0
    decided: int = 0
    iterations: tuple[Iteration, ...] = ()
    reviewers: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    awaits_review_of: int | None = None  # the iteration, of a run that was paused for it


def first_look(session: Session, run_id: int | None = None, who: Who = NOBODY) -> Look:
    """Undecided pairs of `run_id`, else of the newest run that has pairs, doubtful ones first."""
    if run_id is None:
        run_id = next(iter(pair_queue.runs_with_pairs(session)), 0)
    return Look(PairFilter(run_id, **START), who=who)  # type: ignore[arg-type]


def look_of_address(session: Session, params: Mapping[str, str]) -> Look:
    """As the address says; what makes no sense in it is as if it were not there."""
    run = params.get("run", "")
    look = first_look(session, int(run) if run.isdecimal() else None)
    changes: dict[str, Any] = {
        name: params[short]
        for name, short in NAMES.items()
        if short in params and name not in ("iteration", "order")
    }
    if params.get("iteration", "").isdecimal():
        changes["iteration"] = int(params["iteration"])
    if params.get("order") in ORDERS:
        changes["order"] = params["order"]
    pair = params.get("pair", "")
    pair_id = int(pair) if pair.isdecimal() and int(pair) < 1 << 31 else None
    found = pairs.get(session, pair_id=pair_id) if pair_id else None
    if found and not run:
        changes["run_id"] = found.run_id
    if found and found.run_id != changes.get("run_id", look.filter.run_id):
        found = None
    if found and not any(short in params for short in NAMES.values()):
        changes["state"] = ""  # a pair that somebody points at is shown among all
    return Look(replace(look.filter, **changes), found.id if found else None)


def address_of(look: Look, counted: int) -> dict[str, Any]:
    """The part of the address that leads back here; None takes a name out of it."""
    wanted = look.filter
    found: dict[str, Any] = {"pair": look.pair_id, "run": wanted.run_id or None, "count": counted}
    for name, short in NAMES.items():
        value = getattr(wanted, name)
        is_start = value == START.get(name, _default(name))
        found[short] = None if is_start else "" if value is None else value
    return found


def load(session: Session, look: Look) -> Shown:
    """What there is to see, for a look whose pair may have gone from its filter."""
    run = queries.get_run(session, run_id=look.filter.run_id)
    runs = tuple(
        found
        for run_id in pair_queue.runs_with_pairs(session)
        if (found := queries.get_run(session, run_id=run_id))
    )
    if run is None:
        return Shown(look, None, runs=runs)
    if look.pair_id is None:
        first = pair_queue.first(session, look.filter, holder=look.who.holder)
        look = replace(look, pair_id=first)
    rows = _page(session, look)
    decided = [
        pair_queue.count(session, PairFilter(look.filter.run_id, state=state))
        for state in ("kept", "vetoed", "flipped", "skipped")
    ]
    return Shown(
        look=look,
        run=run,
        rows=rows[: pair_queue.PAGE],
        has_more=len(rows) > pair_queue.PAGE,
        evidence=pairs.evidence(session, pair_id=look.pair_id) if look.pair_id else None,
        counted=pair_queue.count(session, look.filter),
        is_cut=pair_queue.is_cut(session, look.filter),
        pending=pair_queue.count(session, PairFilter(look.filter.run_id, state="pending")),
        decided=sum(decided),
        iterations=tuple(queries.iterations(session, run_id=look.filter.run_id)),
        reviewers=tuple(pairs.reviewers(session, run_id=look.filter.run_id)),
        runs=runs,
        awaits_review_of=review_awaited(session, run, jobs.status(look.filter.run_id)),
    )


def step(session: Session, look: Look, *, back: bool = False) -> Look:
    """The next pair of the filter, or the one before; the same where there is none."""
    pair = pairs.get(session, pair_id=look.pair_id) if look.pair_id else None
    if pair is None:
        return replace(look, pair_id=None)
    place = pair_queue.place_of(pair, look.filter.order)
    found = pair_queue.neighbour(session, look.filter, of=place, back=back, holder=look.who.holder)
    if found is None and not back and not _shows(look.filter, pair):
        # It was the last: what was passed over.
        found = pair_queue.first(session, look.filter, holder=look.who.holder)
        return replace(look, pair_id=found)
    return replace(look, pair_id=found or look.pair_id)


def turn(look: Look, rows: list[Row], *, back: bool = False) -> Look:
    """The next page of the list, or the one before."""
    pages = look.pages[:-1] if back else (*look.pages, rows[-1].id)
    return replace(look, pages=pages)


def prompt_of(run: Run, pair: PreferencePair) -> tuple[str, Task | None]:
    """(what the model read, the task or None when its set has it no more)."""
    try:
        found = next((t for t in tasks_of(run.config["tasks"]) if t.task_id == pair.task_id), None)
    except (CodeLutraError, OSError):  # the set has gone since
        found = None
    return pair.prompt or (found.prompt if found else ""), found


def _page(session: Session, look: Look) -> list[Row]:
    """One row more than a page, where there is one."""
    place = None
    if look.pages:
        last = pairs.get(session, pair_id=look.pages[-1])
        place = pair_queue.place_of(last, look.filter.order) if last else None
    return pair_queue.page(session, look.filter, after=place, limit=pair_queue.PAGE + 1)


def _shows(wanted: PairFilter, pair: PreferencePair) -> bool:
    return wanted.state in ("", pair.state) and wanted.reviewer in ("", pair.reviewer)


def _default(name: str) -> Any:
    return next(f.default for f in fields(PairFilter) if f.name == name)
