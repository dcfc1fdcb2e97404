"""Every number of the charts as one tidy table, a row a point: for a spreadsheet or a script."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pages.overlay import RunLine
from pages.training_curves import METRICS
from storage.curves import Curves


@dataclass(frozen=True)
class Number:
    """`iteration` is the policy's, 0 the base; of phases and training curves the iteration itself.

    `step` is of training curves alone; shares are from 0 to 1.
    """

    chart: str
    run: int
    iteration: int
    series: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    step: int | None = None


def numbers(line: RunLine) -> Iterator[Number]:
    """Of the charts that compare iterations."""
    run = line.row.id
    for point in line.points:
        at = point.iteration
        if point.pass_at_1 is not None:
            ends = point.ci_low, point.ci_high, point.num_tasks
            yield Number("accuracy", run, at, "held-out", point.pass_at_1, *ends)
        if found := point.validation:
            ends = found.ci_low, found.ci_high, found.num_tasks
            yield Number("accuracy", run, at, "validation", found.pass_at_1, *ends)
        for each in line.passes.get(at, ()):
            ends = each.low, each.high, each.num_tasks
            yield Number("pass-at-k", run, at, f"pass@{each.k}", each.mean, *ends)
        greedy, sampled = point.syntax_error, point.sampled_syntax_error
        if greedy is not None:
            yield Number("syntax", run, at, "held-out, greedy", greedy, n=point.num_tasks)
        if sampled is not None:
            yield Number("syntax", run, at, "training, sampled", sampled, n=point.num_sampled)
        total = sum(point.verdicts.values())
        for kind, count in point.verdicts.items():
            yield Number("verdicts", run, at, kind, count / total, n=total)
        for phase, seconds in point.seconds.items():
            yield Number("time", run, at, f"{phase}, seconds", seconds)
        for phase, drawn in point.tokens.items():
            yield Number("time", run, at, f"{phase}, tokens", drawn)
        if tokens := line.trained_tokens(point):
            yield Number("time", run, at, "train, tokens", tokens)


def training_numbers(run_id: int, iteration: int, found: Curves) -> Iterator[Number]:
    """Of the training curves, as they are drawn."""
    for step, row in found.steps:
        for metric in METRICS:
            if (value := row.get(metric)) is not None:
                yield Number("training", run_id, iteration, metric, value, step=step)


def write_csv(rows: Sequence[Number], path: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Number)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def write_parquet(rows: Sequence[Number], path: Path) -> None:
    import pandas  # slow to load, and seldom wanted

    whole = dict.fromkeys(("run", "iteration", "n", "step"), "Int64")
    columns = [field.name for field in fields(Number)]
    frame = pandas.DataFrame([asdict(row) for row in rows], columns=columns).astype(whole)
    frame.to_parquet(path, index=False)
