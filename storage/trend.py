"""The points of a run's trend: a policy each, with its scores and what was drawn from it."""

from dataclasses import dataclass, field

from sqlmodel import Session, col, func, select

from storage.models import Iteration, Sample
from storage.pair_models import PreferencePair
from storage.queries import HARNESS_ERROR, iterations, phase_seconds, phase_tokens


@dataclass(frozen=True)
class Validation:
    """A policy's scores on the validation tasks, by which the best iteration is chosen."""

    pass_at_1: float
    ci_low: float
    ci_high: float
    num_tasks: int


@dataclass(frozen=True)
class TrendPoint:
    """One policy: its held-out scores, and the programs that were drawn from it.

    Policy p is what iteration p trained (0: the base). The programs drawn from it are the
    *train* samples of iteration p + 1, so the newest policy has none yet (`num_sampled` 0,
    `sampled_syntax_error` None). Pairs and seconds are those of iteration p itself. The
    held-out fields are None until the policy is evaluated; `validation` is None in a run without
    validation tasks, too.
    """

    iteration: int
    pass_at_1: float | None
    ci_low: float | None
    ci_high: float | None
    num_tasks: int | None
    syntax_error: float | None
    verdicts: dict[str, int]
    sampled_syntax_error: float | None = None
    num_sampled: int = 0  # graded ones, harness errors left out
    sampled_verdicts: dict[str, int] = field(default_factory=dict)
    num_pairs: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)  # generated, by phase
    validation: Validation | None = None
    pass_tokens: int | None = None  # of one pass of the training over its pairs


def run_trend(session: Session, *, run_id: int) -> list[TrendPoint]:
    """A point a policy, in order; what the charts of a run show."""
    rows = {row.number: row for row in iterations(session, run_id=run_id)}
    sampled = _train_verdicts(session, run_id=run_id)
    pairs = _pairs_by_iteration(session, run_id=run_id)
    seconds = phase_seconds(session, run_id=run_id)
    tokens = phase_tokens(session, run_id=run_id)
    points = []
    for number, row in rows.items():
        verdicts = sampled.get(number + 1, {})
        graded = sum(n for kind, n in verdicts.items() if kind != HARNESS_ERROR)
        points.append(
            TrendPoint(
                iteration=number,
                pass_at_1=row.pass_at_1,
                ci_low=row.ci_low,
                ci_high=row.ci_high,
                num_tasks=row.num_tasks,
                syntax_error=row.syntax_error,
                verdicts=row.verdicts or {},
                sampled_syntax_error=verdicts.get("syntax_error", 0) / graded if graded else None,
                num_sampled=graded,
                sampled_verdicts=verdicts,
                num_pairs=pairs.get(number, 0),
                seconds=seconds.get(number, {}),
                tokens=tokens.get(number, {}),
                validation=_validation(row),
                pass_tokens=row.training.get("run_tokens") if row.training else None,
            )
        )
    return points


def _validation(row: Iteration) -> Validation | None:
    if row.validation is None:
        return None
    low, high = row.validation["ci95"]
    return Validation(row.validation["pass_at_1"], low, high, row.validation["num_tasks"])


def _train_verdicts(session: Session, *, run_id: int) -> dict[int, dict[str, int]]:
    """Verdict counts of the train samples, by the number of the iteration that holds them."""
    query = (
        select(Iteration.number, Sample.verdict, func.count())
        .join(Sample, col(Sample.iteration_id) == Iteration.id)
        .where(Iteration.run_id == run_id, Sample.split == "train")
        .group_by(col(Iteration.number), col(Sample.verdict))
    )
    result: dict[int, dict[str, int]] = {}
    for number, verdict, count in session.exec(query):
        if verdict is not None:
            result.setdefault(number, {})[verdict] = count
    return result


def _pairs_by_iteration(session: Session, *, run_id: int) -> dict[int, int]:
    query = (
        select(Iteration.number, func.count(col(PreferencePair.id)))
        .join(PreferencePair, col(PreferencePair.iteration_id) == Iteration.id)
        .where(Iteration.run_id == run_id)
        .group_by(col(Iteration.number))
    )
    return dict(session.exec(query).all())
