"""Comparisons of model states: asked for by a page, answered by the worker, judged by people."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, func, select, update

from storage import errands, jobs
from storage.compare_models import Answer, Comparison, Vote
from storage.db import StorageError
from storage.models import utc_now
from storage.run_status import RunStatus

# After which nobody looks at it any more; browsers wake a hidden page once a minute.
UNSEEN, UNSEEN_WAITING = timedelta(seconds=12), timedelta(seconds=150)
CHOICES = ("tie", "bad")
OPEN = ("waiting", "answering")


def submit(session: Session, comparison: Comparison) -> int:
    """With its answers, queued in the session's transaction; returns its number."""
    session.add(comparison)
    session.flush()
    assert comparison.id is not None
    for place in range(len(comparison.columns)):
        for index in range(comparison.settings["num_samples"]):
            session.add(Answer(comparison_id=comparison.id, place=place, index=index))
    session.flush()
    _enqueue(session, comparison.id, workflow_of(comparison.id))
    return comparison.id


def _enqueue(session: Session, comparison_id: int, workflow_id: str) -> None:
    errands.enqueue(
        session, workflow=jobs.COMPARE_WORKFLOW, queue=jobs.COMPARE_QUEUE,
        workflow_id=workflow_id, row_id=comparison_id,
    )  # fmt: skip


def get(session: Session, *, comparison_id: int) -> Comparison | None:
    is_possible = 0 < comparison_id < 1 << 31  # what the databases take as a number of a row
    return session.get(Comparison, comparison_id) if is_possible else None


def answers(session: Session, *, comparison_id: int) -> Sequence[Answer]:
    """Column by column."""
    query = select(Answer).where(Answer.comparison_id == comparison_id)
    return session.exec(query.order_by(col(Answer.place), col(Answer.index))).all()


def status(comparison: Comparison) -> RunStatus:
    assert comparison.id is not None
    if comparison.finished_at:
        return RunStatus.COMPLETED
    return errands.status(workflow_of(comparison.id))


def error(comparison: Comparison) -> str:
    assert comparison.id is not None
    return errands.error(workflow_of(comparison.id))


def mark_seen(session: Session, *, comparison_id: int) -> None:
    """Somebody looks at it: it goes on."""
    seen = update(Comparison).where(col(Comparison.id) == comparison_id).values(seen_at=utc_now())
    session.connection().execute(seen)


def stop(session: Session, *, comparison_id: int) -> None:
    wish = update(Comparison).where(col(Comparison.id) == comparison_id).values(is_stopped=True)
    session.connection().execute(wish)


def is_unwanted(session: Session, *, comparison_id: int) -> bool:
    """Somebody stopped it, or nobody looks at it any more."""
    query = select(Comparison.is_stopped, Comparison.seen_at, Comparison.note)
    is_stopped, seen_at, note = session.exec(query.where(Comparison.id == comparison_id)).one()
    return is_stopped or utc_now() - seen_at > (UNSEEN_WAITING if note else UNSEEN)


def set_note(session: Session, *, comparison_id: int, note: str) -> None:
    """Whoever waited for it has time to look once more when the waiting is over."""
    row = session.get_one(Comparison, comparison_id)
    if row.note and not note:
        row.seen_at = utc_now()
    row.note = note
    session.flush()


def set_answers(
    session: Session, *, comparison_id: int, rows: Mapping[tuple[int, int], Mapping[str, Any]]
) -> None:
    """Columns of answers by place and index."""
    for (place, index), values in rows.items():
        session.connection().execute(
            update(Answer)
            .where(col(Answer.comparison_id) == comparison_id)
            .where(col(Answer.place) == place, col(Answer.index) == index)
            .values(**values)
        )


def set_proofs(
    session: Session, *, comparison_id: int, proofs: Sequence[Mapping[str, Any]]
) -> None:
    row = session.get_one(Comparison, comparison_id)
    row.proofs = [dict(proof) for proof in proofs]
    session.flush()


def finish(session: Session, *, comparison_id: int) -> None:
    row = session.get_one(Comparison, comparison_id)
    row.note, row.finished_at = "", row.finished_at or utc_now()
    session.flush()


def ask_probe(session: Session, *, comparison_id: int) -> None:
    """A workflow of its own, as the comparison's has ended."""
    query = select(Comparison).where(Comparison.id == comparison_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one()
    if row.wants_probe or not row.finished_at:
        return
    row.wants_probe, row.seen_at, row.is_stopped = True, utc_now(), False
    session.flush()
    _enqueue(session, comparison_id, f"{workflow_of(comparison_id)}-probe")


def set_probe(session: Session, *, comparison_id: int, probe: dict[str, Any]) -> None:
    row = session.get_one(Comparison, comparison_id)
    row.probe, row.note = probe, ""
    session.flush()


def vote(session: Session, *, comparison_id: int, choice: str, voter: str) -> Vote:
    """Raises StorageError when it has one already, or cannot be judged."""
    query = select(Comparison).where(Comparison.id == comparison_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if row is None or not row.finished_at:
        raise StorageError("vote when all have answered")
    if session.get(Vote, comparison_id):
        raise StorageError(f"comparison {comparison_id} has a vote already: ask once more to vote")
    places = [str(place) for place in range(len(row.columns))]
    if choice not in (*places, *CHOICES):
        raise StorageError(f"{choice!r} is no vote: choose {', '.join((*places, *CHOICES))}")
    found = Vote(
        comparison_id=comparison_id, choice=choice, voter=voter, was_blind=row.is_blind,
        states=[column["key"] for column in row.columns],
    )  # fmt: skip
    session.add(found)
    session.flush()
    return found


def get_vote(session: Session, *, comparison_id: int) -> Vote | None:
    return session.get(Vote, comparison_id)


def votes(session: Session, *, only_blind: bool = True) -> Sequence[Vote]:
    query = select(Vote).order_by(col(Vote.created_at))
    if only_blind:
        query = query.where(col(Vote.was_blind).is_(True))
    return session.exec(query).all()


def times_first(session: Session, *, keys: Sequence[str]) -> dict[str, int]:
    """How often each of the states stood first in blind comparisons of exactly these."""
    query = select(Comparison.columns).where(col(Comparison.is_blind).is_(True))
    counted = dict.fromkeys(keys, 0)
    for columns in session.exec(query):
        found = [column["key"] for column in columns]
        if sorted(found) == sorted(keys):
            counted[found[0]] += 1
    return counted


def page(
    session: Session, *, words: str = "", before: int | None = None, limit: int = 20
) -> Sequence[Comparison]:
    """Newest first; every one of the words is in its prompt, task or answers."""
    query = select(Comparison).order_by(col(Comparison.id).desc()).limit(limit)
    if before:
        query = query.where(col(Comparison.id) < before)
    for word in words.split():
        like = "%" + word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        of_answer = select(Answer.comparison_id).where(col(Answer.text).ilike(like, escape="\\"))
        query = query.where(
            col(Comparison.prompt).ilike(like, escape="\\")
            | col(Comparison.task_id).ilike(like, escape="\\")
            | col(Comparison.id).in_(of_answer)
        )
    return session.exec(query).all()


def count(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Comparison)).one()


def workflow_of(comparison_id: int) -> str:
    return f"compare-{comparison_id}"
