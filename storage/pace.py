"""What earlier runs of a model took: seconds of each phase, and how much it did in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from storage.models import Iteration, Run, Sample, TrainingStep
from storage.pair_models import PreferencePair
from storage.queries import phase_seconds


@dataclass(frozen=True)
class MeasuredRun:
    """Sums over the iterations that are evaluated; a pair counts once here, whatever the epochs.

    Of a smoke test the base is left out: the time before it went into reading libraries.
    """

    run_id: int
    config: dict[str, Any]
    seconds: dict[str, float]
    num_sampled: int  # training programs
    num_scored: int  # validation and held-out ones
    num_pairs: int
    num_train: int  # training tasks
    run_tokens: int = 0  # of a smoke test's only training, one pass
    rates: Sequence[Any] = ()  # tokens a second of its steps


def measured_runs(session: Session, *, model: str, limit: int = 8) -> list[MeasuredRun]:
    """Of the newest runs of `model`, as it was named; the newest first."""
    is_mine = col(Run.config)["model"].as_string() == model
    query = select(Run).where(is_mine).order_by(col(Run.id).desc()).limit(limit)
    return [_measured(session, run) for run in session.exec(query)]


def _measured(session: Session, run: Run) -> MeasuredRun:
    assert run.id is not None
    query = select(Iteration.id, Iteration.number).where(
        Iteration.run_id == run.id, col(Iteration.pass_at_1).is_not(None)
    )
    is_smoke = bool(run.config.get("smoke"))
    if is_smoke:
        query = query.where(Iteration.number > 0)
    found = session.exec(query).all()
    ids, numbers = [row[0] for row in found], {row[1] for row in found}
    seconds: dict[str, float] = {}
    for number, phases in phase_seconds(session, run_id=run.id).items():
        for phase, taken in phases.items() if number in numbers else ():
            seconds[phase] = seconds.get(phase, 0.0) + taken
    drawn = session.exec(
        select(Sample.split, func.count())
        .where(col(Sample.iteration_id).in_(ids))
        .group_by(col(Sample.split))
    ).all()
    by_split = dict(drawn)
    pairs = select(func.count()).where(col(PreferencePair.iteration_id).in_(ids))
    sampled = by_split.pop("train", 0)
    tokens, rates = _steps(session, ids[0]) if is_smoke and ids else (0, [])
    return MeasuredRun(
        run_id=run.id,
        config=run.config,
        seconds=seconds,
        num_sampled=sampled,
        num_scored=sum(by_split.values()),
        num_pairs=session.exec(pairs).one(),
        num_train=run.num_train * len(numbers - {0}),
        run_tokens=tokens,
        rates=rates,
    )


def _steps(session: Session, iteration_id: int | None) -> tuple[int, list[Any]]:
    facts = session.get_one(Iteration, iteration_id).training or {}
    steps = session.exec(select(TrainingStep).where(TrainingStep.iteration_id == iteration_id))
    return facts.get("run_tokens", 0), [row.metrics.get("tokens_per_second") for row in steps]
