"""What pages and worker read of a run; `recording.py` holds what a running run writes, `trend.py`
and `health.py` what the Trends page alone reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, func, select

from storage.models import (
    Adapter,
    Alert,
    Iteration,
    LogLine,
    PhaseTime,
    Progress,
    Run,
    Sample,
    TrainingStep,
)
from storage.pair_models import PreferencePair

SAMPLES_A_TASK = 20  # read for one that is shown
HARNESS_ERROR = "harness_error"  # the one verdict that is no label and in no share


@dataclass(frozen=True)
class RunCounts:
    """How much a run has produced so far."""

    iterations: int = 0  # evaluated policies, the base included
    samples: int = 0
    graded: int = 0
    pairs: int = 0


def create_run(
    session: Session,
    *,
    name: str,
    config: dict[str, Any],
    num_train: int,
    num_heldout: int,
    num_validation: int = 0,
) -> Run:
    """The row alone; `jobs.submit` makes it together with its workflow."""
    run = Run(
        name=name,
        config=config,
        num_train=num_train,
        num_validation=num_validation,
        num_heldout=num_heldout,
    )
    session.add(run)
    session.flush()
    return run


def get_run(session: Session, *, run_id: int) -> Run | None:
    return session.get(Run, run_id)


def list_runs(
    session: Session, *, limit: int = 50, offset: int = 0, words: Sequence[str] = ()
) -> Sequence[Run]:
    """Newest first; each word is in the name, a tag or the note, or is the number."""
    query = select(Run).order_by(col(Run.id).desc()).limit(limit).offset(offset)
    for word in words:
        texts = (col(Run.name), col(Run.tags), col(Run.note))
        found = [text.icontains(word, autoescape=True) for text in texts]
        is_number = [col(Run.id) == int(word)] if word.isdecimal() and len(word) < 10 else []
        query = query.where(or_(*found, *is_number))
    return session.exec(query).all()


def count_runs(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Run)).one()


def run_counts(session: Session, *, run_ids: Sequence[int]) -> dict[int, RunCounts]:
    """Counts of several runs at once; a run without rows has zeros."""
    mine = col(Iteration.run_id).in_(run_ids)
    evaluated = _per_run(session, func.count(col(Iteration.pass_at_1)), mine)
    samples = _per_run(session, func.count(col(Sample.id)), mine, Sample)
    graded = _per_run(session, func.count(col(Sample.verdict)), mine, Sample)
    pairs = _per_run(session, func.count(col(PreferencePair.id)), mine, PreferencePair)
    return {
        run_id: RunCounts(
            iterations=evaluated.get(run_id, 0),
            samples=samples.get(run_id, 0),
            graded=graded.get(run_id, 0),
            pairs=pairs.get(run_id, 0),
        )
        for run_id in run_ids
    }


def iterations(session: Session, *, run_id: int) -> Sequence[Iteration]:
    query = select(Iteration).where(Iteration.run_id == run_id).order_by(col(Iteration.number))
    return session.exec(query).all()


def get_iteration(session: Session, *, run_id: int, number: int) -> Iteration | None:
    query = select(Iteration).where(Iteration.run_id == run_id, Iteration.number == number)
    return session.exec(query).one_or_none()


def newest_iteration(session: Session, *, run_id: int) -> int:
    """The one that has begun last, 0 for the base."""
    query = select(func.max(Iteration.number)).where(Iteration.run_id == run_id)
    return session.exec(query).one() or 0


def awaited_review(session: Session, *, run: Run) -> int | None:
    """The iteration whose pairs the run's attempt stopped for, to have them reviewed."""
    query = select(Iteration.number).where(
        Iteration.run_id == run.id, Iteration.review_attempt == run.attempt
    )
    return session.exec(query).first()


def latest_graded(
    session: Session, *, run_id: int, limit: int, number: int | None = None
) -> Sequence[Sample]:
    """Of an iteration, or the newest that has any: the samples drawn last, one a task, newest
    first."""
    for iteration in reversed(iterations(session, run_id=run_id)):
        if number not in (None, iteration.number):
            continue
        query = (
            select(Sample)
            .where(Sample.iteration_id == iteration.id, col(Sample.verdict).is_not(None))
            .order_by(col(Sample.id).desc())
            .limit(limit * SAMPLES_A_TASK)
        )
        by_task = {sample.task_id: sample for sample in reversed(session.exec(query).all())}
        if by_task:
            return list(reversed(by_task.values()))[:limit]
    return []


def phase_seconds(session: Session, *, run_id: int) -> dict[int, dict[str, float]]:
    """Wall seconds by iteration number and phase."""
    query = (
        select(Iteration.number, PhaseTime.phase, PhaseTime.seconds)
        .join(Iteration, col(Iteration.id) == PhaseTime.iteration_id)
        .where(Iteration.run_id == run_id)
    )
    result: dict[int, dict[str, float]] = {}
    for number, phase, seconds in session.exec(query):
        result.setdefault(number, {})[phase] = seconds
    return result


def phase_tokens(session: Session, *, run_id: int) -> dict[int, dict[str, int]]:
    """Tokens that were generated, by iteration number and phase; phases without any left out."""
    query = (
        select(Iteration.number, PhaseTime.phase, PhaseTime.tokens)
        .join(Iteration, col(Iteration.id) == PhaseTime.iteration_id)
        .where(Iteration.run_id == run_id, PhaseTime.tokens > 0)
    )
    result: dict[int, dict[str, int]] = {}
    for number, phase, tokens in session.exec(query):
        result.setdefault(number, {})[phase] = tokens
    return result


def samples(
    session: Session,
    *,
    iteration_id: int,
    split: str,
    verdict: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Sequence[Sample]:
    """In the order they were drawn."""
    query = select(Sample).where(Sample.iteration_id == iteration_id, Sample.split == split)
    if verdict is not None:
        query = query.where(Sample.verdict == verdict)
    return session.exec(query.order_by(col(Sample.id)).limit(limit).offset(offset)).all()


def heldout_correct(session: Session, *, run_id: int, number: int) -> dict[str, bool]:
    """Which held-out tasks a policy solved; harness errors are left out."""
    query = (
        select(Sample.task_id, Sample.verdict)
        .join(Iteration, col(Iteration.id) == Sample.iteration_id)
        .where(Iteration.run_id == run_id, Iteration.number == number, Sample.split == "heldout")
    ).where(col(Sample.verdict) != HARNESS_ERROR)
    return {task_id: verdict == "correct" for task_id, verdict in session.exec(query)}


def pairs(
    session: Session, *, iteration_id: int, limit: int | None = None, offset: int = 0
) -> Sequence[PreferencePair]:
    query = select(PreferencePair).where(PreferencePair.iteration_id == iteration_id)
    return session.exec(query.order_by(col(PreferencePair.id)).limit(limit).offset(offset)).all()


def adapter_paths(session: Session, *, run_id: int) -> Sequence[str]:
    query = select(Adapter.path).join(Iteration, col(Iteration.id) == Adapter.iteration_id)
    return session.exec(query.where(Iteration.run_id == run_id)).all()


def adapter(session: Session, *, iteration_id: int) -> Adapter | None:
    return session.get(Adapter, iteration_id)


def scores(session: Session, *, iteration_id: int, split: str) -> dict[str, Any] | None:
    """As `recording.add_scores` takes them; None until the policy is evaluated on the split."""
    row = session.get_one(Iteration, iteration_id)
    if split == "validation":
        return row.validation
    if row.pass_at_1 is None:
        return None
    return {
        "pass_at_1": row.pass_at_1,
        "ci95": [row.ci_low, row.ci_high],
        "num_tasks": row.num_tasks,
        "syntax_error": row.syntax_error,
        "verdicts": row.verdicts or {},
    }


def alerts(session: Session, *, iteration_id: int) -> Sequence[Alert]:
    """In the order in which they were raised."""
    query = select(Alert).where(Alert.iteration_id == iteration_id)
    return session.exec(query.order_by(col(Alert.created_at), col(Alert.kind))).all()


def training_steps(
    session: Session, *, iteration_id: int, max_points: int = 1000
) -> Sequence[TrainingStep]:
    """At most `max_points` steps, evenly spread, the last one always among them."""
    steps = select(func.count(), func.max(TrainingStep.step)).where(
        TrainingStep.iteration_id == iteration_id
    )
    count, last = session.exec(steps).one()
    ranked = (
        select(
            TrainingStep.step, func.row_number().over(order_by=col(TrainingStep.step)).label("rank")
        )
        .where(TrainingStep.iteration_id == iteration_id)
        .subquery()
    )
    stride = -(-count // max(1, max_points - 1)) or 1
    if count <= max_points:
        stride = 1
    query = (
        select(TrainingStep)
        .join(ranked, ranked.c.step == TrainingStep.step)
        .where(TrainingStep.iteration_id == iteration_id)
        .where((ranked.c.rank % stride == 0) | (TrainingStep.step == last))
    )
    return session.exec(query.order_by(col(TrainingStep.step))).all()


def progress(session: Session, *, run_id: int) -> Progress | None:
    return session.get(Progress, run_id)


def log_lines(
    session: Session, *, run_id: int, after_id: int = 0, limit: int = 200
) -> Sequence[LogLine]:
    """The newest `limit` lines with an id above `after_id`, oldest first."""
    query = (
        select(LogLine)
        .where(LogLine.run_id == run_id, col(LogLine.id) > after_id)
        .order_by(col(LogLine.id).desc())
        .limit(limit)
    )
    return list(reversed(session.exec(query).all()))


def add_log(session: Session, *, run_id: int, message: str) -> None:
    session.add(LogLine(run_id=run_id, message=message))
    session.flush()


def _per_run(
    session: Session, value: ColumnElement[int], mine: ColumnElement[bool], table: Any = None
) -> dict[int, int]:
    query = select(Iteration.run_id, value).where(mine).group_by(col(Iteration.run_id))
    if table is not None:
        query = query.join(table, table.iteration_id == Iteration.id)
    return dict(session.exec(query).all())
