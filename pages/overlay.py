"""The runs that are drawn together: their points, and pass@k of what they sampled. No HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from codelutra.evaluation import mean_pass_at_k
from pages.figures import RUN_LOOKS, RunLook
from pages.run_view import RunRow
from storage import queries
from storage.sampled import Counts, solved_counts_by_policy
from storage.trend import TrendPoint, run_trend

MAX_RUNS = len(RUN_LOOKS)
KS = (1, 5, 10, 50, 100)


@dataclass(frozen=True)
class PassAtK:
    """Of the programs sampled from a policy for the training tasks."""

    k: int
    mean: float
    low: float
    high: float
    num_tasks: int


@dataclass(frozen=True)
class RunLine:
    """One run as the charts draw it."""

    row: RunRow
    look: RunLook
    points: Sequence[TrendPoint]
    passes: dict[int, list[PassAtK]] = field(default_factory=dict)  # by policy
    epochs: int = 1

    @property
    def short(self) -> str:
        """In a legend; the name stands beside the sign of the run in the table."""
        return f"run {self.row.id}"

    @property
    def name(self) -> str:
        name = self.row.name if len(self.row.name) <= 22 else self.row.name[:21] + "…"
        return f"run {self.row.id}: {name}"

    @property
    def scored(self) -> list[TrendPoint]:
        return [point for point in self.points if point.pass_at_1 is not None]

    def trained_tokens(self, point: TrendPoint) -> int | None:
        """Of all passes over the pairs."""
        return point.pass_tokens and point.pass_tokens * self.epochs


def load_lines(session: Session, rows: Sequence[RunRow]) -> list[RunLine]:
    """At most MAX_RUNS of them, in order."""
    return [
        _line(session, row, look) for row, look in zip(rows[:MAX_RUNS], RUN_LOOKS, strict=False)
    ]


def last_of(lines: Sequence[RunLine]) -> int:
    """The last iteration that is planned, in the run with most of them."""
    there = [point.iteration for line in lines for point in line.points]
    return max([*there, *(line.row.iterations for line in lines)], default=0)


def passes_of(counts: Counts, ks: Sequence[int]) -> list[PassAtK]:
    found = []
    for k in ks:
        if estimate := mean_pass_at_k(counts, k):
            found.append(PassAtK(k, *estimate, sum(t for (n, _), t in counts.items() if n >= k)))
    return found


def with_passes(session: Session, line: RunLine) -> RunLine:
    """Reads a row a sampled program, so it is left to those who have something new to draw."""
    run = queries.get_run(session, run_id=line.row.id)
    num_samples = int((run.config if run else {}).get("sampling", {}).get("num_samples", 10))
    counts = solved_counts_by_policy(session, run_id=line.row.id, num_samples=num_samples)
    ks = [k for k in KS if k <= num_samples]
    passes = {policy: passes_of(mine, ks) for policy, mine in counts.items()}
    return RunLine(line.row, line.look, line.points, passes, line.epochs)


def _line(session: Session, row: RunRow, look: RunLook) -> RunLine:
    run = queries.get_run(session, run_id=row.id)
    epochs = int((run.config if run else {}).get("training", {}).get("epochs", 1))
    return RunLine(row, look, run_trend(session, run_id=row.id), epochs=epochs)
