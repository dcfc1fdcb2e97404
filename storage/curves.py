"""An iteration's training steps, thinned for a screen in the database: no peak gets lost."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from storage.models import TrainingStep

Row = dict[str, float | None]  # by metric


@dataclass(frozen=True)
class Curves:
    """`steps` has every step, or the lowest and highest values of each stretch of steps.

    `means` has the mean of every stretch, and is empty where nothing was thinned.
    """

    steps: list[tuple[int, Row]]
    means: list[tuple[int, Row]]


def read_curves(
    session: Session, *, iteration_id: int, metrics: Sequence[str], max_points: int
) -> Curves:
    mine = TrainingStep.iteration_id == iteration_id
    count, last = session.exec(select(func.count(), func.max(TrainingStep.step)).where(mine)).one()
    if count <= max_points:
        rows = session.exec(select(TrainingStep).where(mine).order_by(col(TrainingStep.step)))
        return Curves([(row.step, _known(row, metrics)) for row in rows], [])
    width = -(-last // (max_points // 2 - 1))
    lows, highs, means = _stretches(session, iteration_id, metrics, width)
    newest = session.get_one(TrainingStep, (iteration_id, last))
    steps = [point for pair in zip(lows, highs, strict=True) for point in pair]
    # The last point is the last step itself: its values are those of the legend.
    return Curves([*steps[:-1], (last, _known(newest, metrics))], means)


def _known(row: TrainingStep, metrics: Sequence[str]) -> Row:
    return {name: row.metrics.get(name) for name in metrics}


def _stretches(
    session: Session, iteration_id: int, metrics: Sequence[str], width: int
) -> tuple[list[tuple[int, Row]], ...]:
    """Lowest values at the first step of a stretch, highest at its last, means in its middle."""
    values = (
        select(
            TrainingStep.step,
            ((col(TrainingStep.step) - 1) // width).label("stretch"),
            *(col(TrainingStep.metrics)[name].as_float().label(f"m{i}")
              for i, name in enumerate(metrics)),
        )
        .where(TrainingStep.iteration_id == iteration_id)
        .cte("steps")
        .prefix_with("MATERIALIZED")
    )  # fmt: skip
    read = [values.c[f"m{i}"] for i in range(len(metrics))]
    query = (
        select(
            func.min(values.c.step),
            func.max(values.c.step),
            *(f(value) for f in (func.min, func.max, func.avg) for value in read),
        )
        .group_by(values.c.stretch)
        .order_by(values.c.stretch)
    )
    lows, highs, means = [], [], []
    n = len(metrics)
    for row in session.exec(query):
        first, last, *found = tuple(row)
        low, high, mean = (
            dict(zip(metrics, found[i * n : (i + 1) * n], strict=True)) for i in range(3)
        )
        lows.append((first, low))
        highs.append((last, high))
        means.append(((first + last) // 2, mean))
    return lows, highs, means
