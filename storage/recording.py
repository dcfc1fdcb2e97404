"""What the worker writes while a run goes on. Each write is idempotent: a repeated one, after a
crash, leaves what is there as it is. Rows come as plain dicts of column values."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select, update

from storage.models import (
    Adapter,
    Alert,
    Iteration,
    PhaseTime,
    Progress,
    Run,
    Sample,
    TrainingStep,
    utc_now,
)
from storage.pair_models import PairWarning, PreferencePair
from storage.queries import HARNESS_ERROR
from storage.words import words_of

Row = dict[str, Any]
# What grading says of a sample.
LABEL = ("verdict", "detail", "seconds", "flaky", "output", "extraction")


def ensure_iteration(session: Session, *, run_id: int, number: int) -> int:
    """The id of the run's iteration `number`, made when it is new."""
    _insert_new(session, Iteration, [{"run_id": run_id, "number": number}])
    query = select(Iteration.id).where(Iteration.run_id == run_id, Iteration.number == number)
    found = session.exec(query).one()
    assert found is not None
    return found


def set_trust(session: Session, *, run_id: int, is_unfenced: bool, num_weak: int) -> None:
    """A run that was once unfenced stays so."""
    run = session.get_one(Run, run_id)
    run.is_unfenced, run.num_weak = run.is_unfenced or is_unfenced, num_weak
    session.flush()


def add_samples(session: Session, *, iteration_id: int, split: str, rows: Sequence[Row]) -> None:
    """`rows` have task_id, index, completion, verdict and the other LABEL columns."""
    fixed = {"iteration_id": iteration_id, "split": split}
    _insert_new(session, Sample, [{**row, **fixed} for row in rows])


def add_verdicts(session: Session, *, iteration_id: int, split: str, rows: Sequence[Row]) -> None:
    """Label samples that have no label yet; `rows` have task_id, index and the LABEL columns.

    A harness error is no label: a later verdict replaces it.
    """
    if not rows:
        return
    statement = (
        update(Sample)
        .where(col(Sample.iteration_id) == iteration_id, col(Sample.split) == split)
        .where(col(Sample.task_id) == bindparam("of_task"), col(Sample.index) == bindparam("of"))
        .where(or_(col(Sample.verdict).is_(None), col(Sample.verdict) == HARNESS_ERROR))
        .values({name: bindparam(f"new_{name}") for name in LABEL})
    )
    values = [
        {
            "of_task": row["task_id"],
            "of": row["index"],
            **{f"new_{name}": row[name] for name in LABEL},
        }
        for row in rows
    ]
    session.connection().execute(statement, values)


def add_pairs(session: Session, *, iteration_id: int, rows: Sequence[Row]) -> None:
    """All pairs that an iteration's samples give, at once; nothing when that is already done.

    `rows` have the columns of a pair that are not review's, and `warnings`, a list of kinds.
    """
    done = (
        update(Iteration)
        .where(col(Iteration.id) == iteration_id, col(Iteration.paired_at).is_(None))
        .values(paired_at=utc_now())
    )
    if session.connection().execute(done).rowcount == 1:
        insert_pairs(session, iteration_id=iteration_id, rows=rows)


def insert_pairs(session: Session, *, iteration_id: int, rows: Sequence[Row]) -> None:
    """As `add_pairs`, for pairs that come from elsewhere, at any time before the training."""
    run_id = session.get_one(Iteration, iteration_id).run_id
    verdicts = _train_verdicts(session, iteration_id) if rows else {}
    warned: dict[tuple[Any, ...], Sequence[str]] = {}
    values = []
    for row in rows:
        verdict = row.get("rejected_verdict") or verdicts.get(
            (row["task_id"], row["rejected_index"]), ""
        )
        texts = (row["chosen"], row["rejected"], row["task_id"])
        pair = PreferencePair(
            **{name: value for name, value in row.items() if name != "warnings"}
            | {"rejected_verdict": verdict},
            iteration_id=iteration_id,
            run_id=run_id,
            words=words_of(*texts, run_id=run_id, verdict=verdict),
            shuffle=random.getrandbits(31),
        )
        values.append(pair.model_dump(exclude={"id"}))
        warned[_key(pair)] = row.get("warnings", ())
    _insert_new(session, PreferencePair, values)
    if any(warned.values()):
        _warn(session, iteration_id, run_id, warned)


def _warn(
    session: Session,
    iteration_id: int,
    run_id: int,
    warned: Mapping[tuple[Any, ...], Sequence[str]],
) -> None:
    kept = select(PreferencePair).where(PreferencePair.iteration_id == iteration_id)
    rows = [
        {"pair_id": pair.id, "kind": kind, "run_id": run_id}
        for pair in session.exec(kept)
        for kind in warned.get(_key(pair), ())
    ]
    _insert_new(session, PairWarning, rows)


def _key(pair: PreferencePair) -> tuple[Any, ...]:
    indexes = (pair.chosen_index, pair.rejected_index)
    if indexes == (None, None):  # imported: nothing else tells two of a task apart
        return pair.task_id, pair.chosen, pair.rejected
    return pair.task_id, *indexes


def _train_verdicts(session: Session, iteration_id: int) -> dict[tuple[str, int], str]:
    query = select(Sample.task_id, Sample.index, Sample.verdict).where(
        Sample.iteration_id == iteration_id, Sample.split == "train"
    )
    return {(task_id, index): verdict or "" for task_id, index, verdict in session.exec(query)}


def add_adapter(session: Session, *, iteration_id: int, row: Row) -> None:
    _insert_new(session, Adapter, [{**row, "iteration_id": iteration_id}])


def add_scores(session: Session, *, iteration_id: int, row: Row, split: str = "heldout") -> None:
    """`row` has pass_at_1, ci95, num_tasks, syntax_error and verdicts; held-out or validation."""
    if split == "validation":
        _set_once(session, iteration_id, "validation", row)
        return
    values = dict(row)
    values["ci_low"], values["ci_high"] = values.pop("ci95")
    statement = (
        update(Iteration)
        .where(col(Iteration.id) == iteration_id, col(Iteration.pass_at_1).is_(None))
        .values(values)
    )
    session.connection().execute(statement)


def add_training_facts(session: Session, *, iteration_id: int, facts: Row) -> None:
    """What became of the iteration's pairs: num_pairs, num_dropped, tokens, fallback."""
    _set_once(session, iteration_id, "training", facts)


def add_alert(session: Session, *, iteration_id: int, row: Row) -> None:
    """`row` has kind, seen, advice and step."""
    _insert_new(session, Alert, [{**row, "iteration_id": iteration_id, "created_at": utc_now()}])


def add_seconds(
    session: Session, *, iteration_id: int, phase: str, seconds: float, tokens: int = 0
) -> None:
    """The one write that adds up instead of keeping what is there."""
    insert = _insert(session, PhaseTime).values(
        iteration_id=iteration_id, phase=phase, seconds=seconds, tokens=tokens
    )
    totals = {
        name: getattr(PhaseTime, name) + insert.excluded[name] for name in ("seconds", "tokens")
    }
    session.connection().execute(
        insert.on_conflict_do_update(index_elements=["iteration_id", "phase"], set_=totals)
    )


def add_training_step(
    session: Session, *, iteration_id: int, step: int, metrics: dict[str, Any]
) -> None:
    """Values that are no number (a diverged loss) are kept as null: JSON has no NaN."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metrics.items()
    }
    row = {"iteration_id": iteration_id, "step": step, "metrics": finite}
    _insert_new(session, TrainingStep, [row])


def set_progress(
    session: Session, *, run_id: int, iteration: int, phase: str, done: int, total: int, new: bool
) -> None:
    """Where the run is. `new` says that this phase has just begun in this attempt."""
    row = session.get(Progress, run_id)
    if row is None:
        row = Progress(run_id=run_id, iteration=iteration, phase=phase, done=done, total=total)
        new = True
    if new:
        row.started_at, row.started_done = utc_now(), done
    row.iteration, row.phase, row.done, row.total = iteration, phase, done, total
    row.updated_at = utc_now()
    session.add(row)
    session.flush()


def _set_once(session: Session, iteration_id: int, column: str, value: Row) -> None:
    row = session.get_one(Iteration, iteration_id)
    if getattr(row, column) is None:
        setattr(row, column, value)
        session.flush()


def _insert(session: Session, table: type[SQLModel]) -> "sqlite.Insert | postgresql.Insert":
    """Both dialects spell ON CONFLICT alike, but each has its own insert."""
    if session.connection().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def _insert_new(session: Session, table: type[SQLModel], rows: Sequence[Row]) -> None:
    """Insert the rows that no unique constraint knows yet."""
    if rows:
        session.connection().execute(_insert(session, table).on_conflict_do_nothing(), list(rows))
