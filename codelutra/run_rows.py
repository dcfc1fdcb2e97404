"""A run kept in the database: the ledger of the worker."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from codelutra.config import RefineConfig, home
from codelutra.errors import CodeLutraError, StopRequested
from codelutra.records import (
    Adapter,
    Alert,
    PairNotes,
    PreferencePair,
    Sample,
    SampleKey,
    Scores,
    Split,
    TrainingFacts,
    Trust,
    Verdict,
    Veto,
)
from codelutra.reviews import ReviewFacts, heed
from codelutra.row_records import pair_of, reviewed_pair, sample_of, source_of, verdict_row
from codelutra.run_log import log_line, run_folder
from storage import db, jobs, models, queries, recording, reviews, steering

ROWS_AT_ONCE = 1000
REPORT_S = 0.5
STOP_POLL_S = 0.4

T = TypeVar("T")


class RunRows:
    """Implements `Ledger` for one attempt of a run."""

    def __init__(self, run_id: int, workflow_id: str) -> None:
        with db.open_session() as session:
            run = queries.get_run(session, run_id=run_id)
        assert run is not None, f"{workflow_id} has no run"
        self.run_id = run_id
        self.workflow_id = workflow_id
        self.config = RefineConfig.model_validate(run.config)
        self.folder = run_folder(run_id)
        self._ids: dict[int, int] = {}
        self._reported: tuple[int, str] | None = None  # iteration and phase
        self._reported_at = 0.0
        self._polled_at = 0.0
        self._stopped = False

    def last_iteration(self) -> int:
        return steering.end_of(self.run_id)

    def trust(self) -> Trust:
        with db.open_session() as session:
            run = session.get_one(models.Run, self.run_id)
            return Trust(run.is_unfenced, run.num_weak)

    def add_trust(self, trust: Trust) -> None:
        with db.open_session() as session:
            recording.set_trust(session, run_id=self.run_id, **asdict(trust))

    def samples(self, iteration: int, split: Split) -> list[Sample]:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            rows = queries.samples(session, iteration_id=iteration_id, split=split)
        return [sample_of(row) for row in rows]

    def add_samples(self, iteration: int, split: Split, samples: Sequence[Sample]) -> None:
        iteration_id = self._id(iteration)
        for chunk in _chunks(samples):
            rows = [
                {
                    "task_id": sample.task_id,
                    "index": sample.index,
                    "completion": sample.completion,
                    **verdict_row(sample.verdict),
                }
                for sample in chunk
            ]
            with db.open_session() as session:
                recording.add_samples(session, iteration_id=iteration_id, split=split, rows=rows)

    def add_verdicts(
        self, iteration: int, split: Split, verdicts: Mapping[SampleKey, Verdict]
    ) -> None:
        iteration_id = self._id(iteration)
        for chunk in _chunks(list(verdicts.items())):
            rows = [
                {"task_id": task_id, "index": index, **verdict_row(verdict)}
                for (task_id, index), verdict in chunk
            ]
            with db.open_session() as session:
                recording.add_verdicts(session, iteration_id=iteration_id, split=split, rows=rows)

    def pairs(self, iteration: int) -> list[PreferencePair] | None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            row = session.get_one(models.Iteration, iteration_id)
            if row.paired_at is None:
                return None
            rows = queries.pairs(session, iteration_id=iteration_id)
        return [pair_of(row) for row in rows]

    def add_pairs(
        self, iteration: int, pairs: Sequence[PreferencePair], notes: Sequence[PairNotes] = ()
    ) -> None:
        iteration_id = self._id(iteration)
        rows = [{**asdict(pair), "source": source_of(pair)} for pair in pairs]
        for row, note in zip(rows, notes, strict=False):
            row |= {"warnings": note.warnings, "doubt": note.doubt}
        with db.open_session() as session:
            recording.add_pairs(session, iteration_id=iteration_id, rows=rows)

    def wait_for_review(self, iteration: int) -> None:
        if jobs.pause_for_review(self.run_id, iteration_id=self._id(iteration)):
            self.log(f"iteration {iteration}: paused, its pairs wait for review")
            raise StopRequested(f"the pairs of iteration {iteration} wait for review")

    def training_pairs(self, iteration: int) -> list[PreferencePair]:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            reviews.freeze(session, iteration_id=iteration_id)
        with db.open_session() as session:
            rows = reviews.frozen_pairs(session, iteration_id=iteration_id)
        pairs, facts = heed(map(reviewed_pair, rows))
        with db.open_session() as session:
            reviews.set_facts(session, iteration_id=iteration_id, facts=asdict(facts))
        return pairs

    def review_facts(self, iteration: int) -> ReviewFacts | None:
        with db.open_session() as session:
            row = session.get_one(models.Iteration, self._id(iteration))
            return ReviewFacts(**row.review) if row.review else None

    def vetoes(self) -> list[Veto]:
        with db.open_session() as session:
            rows = reviews.vetoed(session, run_id=self.run_id)
        return [Veto(row.task_id, row.chosen, row.rejected, row.reason) for row in rows]

    def adapter(self, iteration: int) -> Adapter | None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            row = queries.adapter(session, iteration_id=iteration_id)
        return Adapter(**row.model_dump(exclude={"iteration_id"})) if row else None

    def add_adapter(self, iteration: int, adapter: Adapter) -> None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            recording.add_adapter(session, iteration_id=iteration_id, row=asdict(adapter))

    def scores(self, iteration: int, split: Split = "heldout") -> Scores | None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            row = queries.scores(session, iteration_id=iteration_id, split=split)
        if row is None:
            return None
        return Scores(**{**row, "ci95": tuple(row["ci95"])})

    def add_scores(self, iteration: int, scores: Scores, split: Split = "heldout") -> None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            recording.add_scores(
                session, iteration_id=iteration_id, row=asdict(scores), split=split
            )

    def training_facts(self, iteration: int) -> TrainingFacts | None:
        with db.open_session() as session:
            row = session.get_one(models.Iteration, self._id(iteration))
            return TrainingFacts(**row.training) if row.training else None

    def add_training_facts(self, iteration: int, facts: TrainingFacts) -> None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            recording.add_training_facts(session, iteration_id=iteration_id, facts=asdict(facts))

    def alerts(self, iteration: int) -> list[Alert]:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            rows = queries.alerts(session, iteration_id=iteration_id)
        return [Alert(row.kind, row.seen, row.advice, row.step) for row in rows]

    def add_alert(self, iteration: int, alert: Alert) -> None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            recording.add_alert(session, iteration_id=iteration_id, row=asdict(alert))

    def add_seconds(self, iteration: int, phase: str, seconds: float, tokens: int = 0) -> None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            recording.add_seconds(
                session, iteration_id=iteration_id, phase=phase, seconds=seconds, tokens=tokens
            )

    def seconds(self, iteration: int) -> dict[str, float]:
        with db.open_session() as session:
            return queries.phase_seconds(session, run_id=self.run_id).get(iteration, {})

    def tokens(self, iteration: int) -> dict[str, int]:
        with db.open_session() as session:
            return queries.phase_tokens(session, run_id=self.run_id).get(iteration, {})

    def add_training_metrics(self, iteration: int, step: int, metrics: dict[str, Any]) -> None:
        iteration_id = self._id(iteration)
        with db.open_session() as session:
            recording.add_training_step(
                session, iteration_id=iteration_id, step=step, metrics=metrics
            )

    def report(self, iteration: int, phase: str, done: int, total: int) -> None:
        """Kept at most twice a second, and always at the start and end of what is counted."""
        is_new = self._reported != (iteration, phase)
        now = time.monotonic()
        if not is_new and 0 < done < total and now - self._reported_at < REPORT_S:
            return
        with db.open_session() as session:
            recording.set_progress(
                session,
                run_id=self.run_id,
                iteration=iteration,
                phase=phase,
                done=done,
                total=total,
                new=is_new,
            )
        self._reported, self._reported_at = (iteration, phase), now

    def log(self, message: str) -> None:
        iteration = self._reported[0] if self._reported else None
        log_line(self.run_id, message, iteration=iteration)

    def stop_requested(self) -> bool:
        now = time.monotonic()
        if not self._stopped and now - self._polled_at >= STOP_POLL_S:
            self._polled_at = now
            self._stopped = jobs.is_stopped(self.workflow_id)
        return self._stopped

    def _id(self, iteration: int) -> int:
        if iteration not in self._ids:
            with db.open_session() as session:
                self._ids[iteration] = recording.ensure_iteration(
                    session, run_id=self.run_id, number=iteration
                )
        return self._ids[iteration]


class RowsThatAreThere(RunRows):
    """For reading: not even the row of an iteration that has not begun is made."""

    def adapter(self, iteration: int) -> Adapter | None:
        return super().adapter(iteration) if self._has(iteration) else None

    def scores(self, iteration: int, split: Split = "heldout") -> Scores | None:
        return super().scores(iteration, split) if self._has(iteration) else None

    def _has(self, iteration: int) -> bool:
        with db.open_session() as session:
            found = queries.get_iteration(session, run_id=self.run_id, number=iteration)
        return found is not None


@contextmanager
def read_run(run_id: int) -> Iterator[RunRows]:
    """A run of the dashboard, without a worker; CodeLutraError where there is none."""
    place, url = home(), db.database_url(home())
    file = url.removeprefix("sqlite:///")
    missing = f"there is no run {run_id} in {place}: look at the dashboard's runs for its number"
    if file != url and not Path(file).exists():  # opening it would make it
        raise CodeLutraError(missing)
    try:
        db.init(place)
        with db.open_session() as session:
            is_possible = run_id < 1 << 31  # what the databases take as a number of a row
            run = queries.get_run(session, run_id=run_id) if is_possible else None
        if run is None:
            raise CodeLutraError(missing)
        yield RowsThatAreThere(run_id, run.workflow_id)
    except db.StorageError as error:
        raise CodeLutraError(str(error)) from error


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]
