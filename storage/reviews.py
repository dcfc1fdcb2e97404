"""What people make of pairs. Every change is an event; a pair's row is where the events led.

Nobody's change is lost: one that was made to an older version of a pair is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import exists, insert, literal
from sqlmodel import Session, col, func, select, update

from storage.db import StorageError
from storage.models import Iteration, utc_now
from storage.pair_models import PreferencePair, Review
from storage.pair_queue import PairFilter, matching_ids

STATES = {"keep": "kept", "veto": "vetoed", "flip": "flipped", "skip": "skipped"}  # by action
WAS = ("state", "reason", "reviewer")  # columns that every event keeps the old value of
EDITED = ("chosen", "rejected", "chosen_trial_id", "rejected_trial_id")  # and an edit, too


class Conflict(StorageError):
    """The pair is no longer what the person saw."""


@dataclass(frozen=True)
class Decision:
    """Of one person: what to do with a pair, and why."""

    action: str  # of STATES
    reviewer: str
    reason: str = ""  # of a veto
    note: str = ""


@dataclass(frozen=True)
class Undone:
    """What an undo did: `num_changed_since` pairs stay, because somebody changed them again."""

    action: str
    pair_id: int | None  # one that is as it was
    num_restored: int
    num_changed_since: int


def decide(session: Session, *, pair_id: int, version: int, decision: Decision) -> PreferencePair:
    """Raises Conflict when the pair has another version: somebody was quicker."""
    pair = _locked(session, pair_id)
    _check(pair, version)
    values = _values(pair.state, decision)
    _apply(session, pair, decision, values)
    return pair


def edit(
    session: Session, *, pair_id: int, version: int, side: str, text: str, trial_id: int,
    reviewer: str,
) -> PreferencePair:  # fmt: skip
    """A person's program takes the place of one side's; its proof is the trial."""
    assert side in ("chosen", "rejected")
    pair = _locked(session, pair_id)
    _check(pair, version)
    values = {"state": "kept", "reason": "", side: text, f"{side}_trial_id": trial_id}
    _apply(session, pair, Decision("edit", reviewer, note=side), values)
    return pair


def decide_all(session: Session, *, wanted: PairFilter, decision: Decision) -> tuple[str, int]:
    """The same decision for every pair that a filter shows: (batch to undo it by, how many)."""
    batch = uuid4().hex
    table, events = PreferencePair.__table__, Review.__table__  # type: ignore[attr-defined]
    ids = matching_ids(session, wanted)
    state = STATES[decision.action]
    event = {
        "run_id": literal(wanted.run_id),
        "action": literal(decision.action),
        "reviewer": literal(decision.reviewer),
        "reason": literal(decision.reason),
        "note": literal(decision.note),
        "batch": literal(batch),
        "created_at": literal(utc_now(), events.c.created_at.type),
    }
    source = select(
        table.c.id, table.c.version + 1, *(table.c[name] for name in WAS), *event.values()
    ).where(table.c.id.in_(ids), table.c.state != state)
    names = ["pair_id", "version", *(f"was_{name}" for name in WAS), *event]
    connection = session.connection()
    connection.execute(insert(events).from_select(names, source))
    mine = select(events.c.pair_id).where(events.c.batch == batch)
    changed = connection.execute(
        update(table)
        .where(table.c.id.in_(mine))
        .values(state=state, reason=decision.reason, reviewer=decision.reviewer,
                version=table.c.version + 1)
    )  # fmt: skip
    return batch, changed.rowcount


def undo(session: Session, *, run_id: int, reviewer: str) -> Undone | None:
    """Take back the newest action of a person in a run, a bulk action as a whole.

    None when there is none. A pair that was changed again since stays as it is.
    """
    last = _last(session, run_id, reviewer)
    if last is None:
        return None
    if last.batch:
        return _undo_batch(session, last)
    last.undone = True
    pair = _locked(session, last.pair_id)
    if not _is_newest(session, last):
        session.flush()
        return Undone(last.action, None, 0, 1)
    _apply(session, pair, Decision("undo", reviewer), _before(last))
    return Undone(last.action, last.pair_id, 1, 0)


def _undo_batch(session: Session, one: Review) -> Undone:
    """As for a single event, in a fixed number of statements."""
    table, events = PreferencePair.__table__, Review.__table__  # type: ignore[attr-defined]
    connection, batch = session.connection(), uuid4().hex
    later = events.alias("later")
    is_newest = ~exists().where(
        later.c.pair_id == events.c.pair_id,
        later.c.id > events.c.id,
        later.c.undone.is_(False),
        later.c.action != "undo",
    )
    fixed = {
        "run_id": literal(one.run_id),
        "action": literal("undo"),
        "reviewer": literal(one.reviewer),
        "batch": literal(batch),
        "created_at": literal(utc_now(), events.c.created_at.type),
    }
    source = (
        select(table.c.id, table.c.version + 1, *(table.c[name] for name in WAS), *fixed.values())
        .join(events, events.c.pair_id == table.c.id)
        .where(events.c.batch == one.batch, is_newest)
    )
    names = ["pair_id", "version", *(f"was_{name}" for name in WAS), *fixed]
    connection.execute(insert(events).from_select(names, source))
    mine = select(events.c.pair_id).where(events.c.batch == batch)
    was = {
        name: select(events.c[f"was_{name}"])
        .where(events.c.pair_id == table.c.id, events.c.batch == one.batch)
        .scalar_subquery()
        for name in WAS
    }
    back = update(table).where(table.c.id.in_(mine)).values(version=table.c.version + 1, **was)
    restored = connection.execute(back).rowcount
    all_of_it = update(events).where(events.c.batch == one.batch).values(undone=True)
    total = connection.execute(all_of_it).rowcount
    session.expire_all()
    first = session.exec(select(Review.pair_id).where(Review.batch == batch).limit(1)).first()
    return Undone(one.action, first, restored, total - restored)


def undoable(session: Session, *, run_id: int, reviewer: str) -> Review | None:
    """What `undo` would take back."""
    return _last(session, run_id, reviewer)


def history(session: Session, *, pair_id: int) -> Sequence[Review]:
    """Newest first."""
    query = select(Review).where(Review.pair_id == pair_id).order_by(col(Review.id).desc())
    return session.exec(query).all()


def batch_size(session: Session, *, batch: str) -> int:
    return session.exec(select(func.count()).where(Review.batch == batch)).one()


def freeze(session: Session, *, iteration_id: int) -> bool:
    """From now on the iteration trains on what its pairs are; True the first time."""
    query = select(Iteration).where(Iteration.id == iteration_id).with_for_update()
    iteration = session.exec(query).one()
    if iteration.frozen_review is not None:
        return False
    iteration.frozen_review = session.exec(select(func.max(Review.id))).one() or 0
    session.flush()
    return True


def frozen_pairs(session: Session, *, iteration_id: int) -> list[PreferencePair]:
    """The iteration's pairs, detached, as they were when it was frozen."""
    frozen = session.get_one(Iteration, iteration_id).frozen_review
    assert frozen is not None, "freeze comes first"
    query = select(PreferencePair).where(PreferencePair.iteration_id == iteration_id)
    pairs = {pair.id: pair for pair in session.exec(query.order_by(col(PreferencePair.id)))}
    later = (
        select(Review)
        .join(PreferencePair, col(PreferencePair.id) == Review.pair_id)
        .where(PreferencePair.iteration_id == iteration_id, col(Review.id) > frozen)
        .order_by(col(Review.id).desc())
    )
    events = session.exec(later).all()
    session.expunge_all()  # what is turned back here is never written
    for event in events:
        for name, value in _before(event).items():
            setattr(pairs[event.pair_id], name, value)
    return list(pairs.values())


def vetoed(session: Session, *, run_id: int) -> list[PreferencePair]:
    query = select(PreferencePair).where(
        PreferencePair.run_id == run_id, PreferencePair.state == "vetoed"
    )
    return list(session.exec(query.order_by(col(PreferencePair.id))).all())


def set_facts(session: Session, *, iteration_id: int, facts: dict[str, Any]) -> None:
    """What the reviews changed of an iteration's pairs."""
    session.get_one(Iteration, iteration_id).review = facts
    session.flush()


def _locked(session: Session, pair_id: int) -> PreferencePair:
    """The pair, which nobody else changes until this session ends; nor is it frozen meanwhile."""
    query = select(PreferencePair).where(PreferencePair.id == pair_id).with_for_update()
    pair = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if pair is None:
        raise StorageError(f"there is no pair {pair_id}")
    reading = select(Iteration.id).where(Iteration.id == pair.iteration_id)
    session.exec(reading.with_for_update(read=True)).one()
    return pair


def _check(pair: PreferencePair, version: int) -> None:
    if pair.version != version:
        who = pair.reviewer or "somebody"
        raise Conflict(f"{who} has changed pair {pair.id} since you opened it: it is {pair.state}")


def _is_newest(session: Session, event: Review) -> bool:
    """Whether nothing that still counts happened to the pair since."""
    later = (
        select(Review.id)
        .where(Review.pair_id == event.pair_id, col(Review.id) > event.id)
        .where(col(Review.undone).is_(False), Review.action != "undo")
    )
    return session.exec(later.limit(1)).first() is None


def _values(state: str, decision: Decision) -> dict[str, Any]:
    new = STATES[decision.action]
    if decision.action == "flip" and state == "flipped":
        new = "kept"  # turned once more, it is what it was
    return {"state": new, "reason": decision.reason}


def _apply(
    session: Session,
    pair: PreferencePair,
    decision: Decision,
    values: dict[str, Any],
    batch: str = "",
) -> None:
    was = {f"was_{name}": getattr(pair, name) for name in WAS}
    was |= {f"was_{name}": getattr(pair, name) for name in EDITED if name in values}
    if "chosen" in values or "rejected" in values:  # both, so that an undo knows them
        was |= {f"was_{name}": getattr(pair, name) for name in EDITED}
    pair.reviewer = decision.reviewer
    for name, value in values.items():
        setattr(pair, name, value)
    pair.version += 1
    assert pair.id is not None
    event = Review(
        pair_id=pair.id, run_id=pair.run_id, action=decision.action, reviewer=decision.reviewer,
        reason=decision.reason, note=decision.note, batch=batch, version=pair.version, **was,
    )  # fmt: skip
    session.add(event)
    session.flush()


def _before(event: Review) -> dict[str, Any]:
    """The columns as they were before an event."""
    values = {name: getattr(event, f"was_{name}") for name in WAS}
    if event.was_chosen is not None:
        values |= {name: getattr(event, f"was_{name}") for name in EDITED}
    return values


def _last(session: Session, run_id: int, reviewer: str) -> Review | None:
    query = (
        select(Review)
        .where(Review.run_id == run_id, Review.reviewer == reviewer)
        .where(col(Review.undone).is_(False), Review.action != "undo")
        .order_by(col(Review.id).desc())
        .limit(1)
    )
    return session.exec(query).first()
