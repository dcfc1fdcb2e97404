"""Programs that people have run: asked for by a page, carried out by the worker beside its runs."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from storage import errands, jobs
from storage.models import utc_now
from storage.pair_models import PairWarning, PreferencePair, Trial
from storage.run_status import RunStatus

FLAKY = "flaky"  # the warning that a re-run can give


def submit(session: Session, trial: Trial) -> int:
    """Queued in the session's transaction; returns its number."""
    session.add(trial)
    session.flush()
    assert trial.id is not None
    errands.enqueue(
        session, workflow=jobs.TRIAL_WORKFLOW, queue=jobs.TRIAL_QUEUE,
        workflow_id=workflow_of(trial.id), row_id=trial.id,
    )  # fmt: skip
    return trial.id


def get(session: Session, *, trial_id: int) -> Trial:
    return session.get_one(Trial, trial_id)


def of_pair(session: Session, *, pair_id: int, side: str) -> Trial | None:
    """The newest."""
    query = select(Trial).where(Trial.pair_id == pair_id, Trial.side == side)
    return session.exec(query.order_by(col(Trial.id).desc()).limit(1)).first()


def status(trial: Trial) -> RunStatus:
    assert trial.id is not None
    if trial.finished_at:
        return RunStatus.COMPLETED
    return errands.status(workflow_of(trial.id))


def finish(
    session: Session, *, trial_id: int, results: Sequence[dict[str, Any]], outcome: str
) -> None:
    """A second finish, after a crash, changes nothing."""
    trial = session.get_one(Trial, trial_id)
    if trial.finished_at is None:
        trial.results, trial.outcome, trial.finished_at = list(results), outcome, utc_now()
        session.flush()


def mark_flaky(session: Session, *, pair_id: int) -> None:
    pair = session.get_one(PreferencePair, pair_id)
    if session.get(PairWarning, (pair_id, FLAKY)) is None:
        session.add(PairWarning(pair_id=pair_id, kind=FLAKY, run_id=pair.run_id))
        pair.doubt = 1.0
        session.flush()


def workflow_of(trial_id: int) -> str:
    return f"trial-{trial_id}"
