"""The tables. A run's status is not among them: its one source is the workflow (`jobs.py`)."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlmodel import Field, SQLModel


def utc_now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times in every database (SQLite forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class CleanText(TypeDecorator[str]):
    """Text from models and programs: NUL and half surrogates, which databases refuse, replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()


class Ablation(SQLModel, table=True):
    """Runs that differ in a few settings alone, queued together."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_type=CleanText)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Run(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    config: dict[str, Any] = Field(sa_type=JSON)
    num_train: int
    num_heldout: int
    num_validation: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    attempt: int = 1
    workflow_id: str = Field(default="", index=True)  # of the current attempt
    is_unfenced: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    num_weak: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # tasks
    ablation_id: int | None = Field(default=None, index=True)
    stop_after: int | None = None  # the iteration after which people want it to end
    note: str = Field(default="", sa_type=CleanText, sa_column_kwargs={"server_default": ""})
    tags: str = Field(default="", sa_type=CleanText, sa_column_kwargs={"server_default": ""})
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Request(SQLModel, table=True):
    """What somebody asked of an attempt: `pause`, `cancel` or `resume`. History, never status."""

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id", index=True)
    attempt: int
    action: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Iteration(SQLModel, table=True):
    """Iteration 0 is the base model; scores are null until its policy is evaluated."""

    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id")
    number: int
    paired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # pairing is done
    pass_at_1: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    num_tasks: int | None = None
    syntax_error: float | None = None
    verdicts: dict[str, int] | None = Field(default=None, sa_type=JSON)
    # The scores on validation tasks, and what became of the pairs, as the engine writes them.
    validation: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    training: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    # The newest review that its training heeds, set when the training begins, and what the
    # reviews up to it changed; the run's attempt that stopped to wait for them.
    frozen_review: int | None = None
    review: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    review_attempt: int | None = None


class PhaseTime(SQLModel, table=True):
    """Wall seconds an iteration spent in a phase, and tokens it generated, over all attempts."""

    iteration_id: int = Field(foreign_key="iteration.id", primary_key=True)
    phase: str = Field(primary_key=True)
    seconds: float
    tokens: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class Sample(SQLModel, table=True):
    __table_args__ = (
        UniqueConstraint("iteration_id", "split", "task_id", "index"),
        Index("ix_sample_verdict", "iteration_id", "split", "verdict"),
        Index(
            "ix_sample_graded",
            "iteration_id",
            "id",
            sqlite_where=text("verdict IS NOT NULL"),
            postgresql_where=text("verdict IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    iteration_id: int = Field(foreign_key="iteration.id")
    split: str
    task_id: str
    index: int
    completion: str = Field(sa_type=CleanText)
    verdict: str | None = None
    detail: str = Field(default="", sa_type=CleanText)
    seconds: float = 0.0
    flaky: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    output: str = Field(default="", sa_type=CleanText, sa_column_kwargs={"server_default": ""})
    extraction: str = Field(default="", sa_column_kwargs={"server_default": ""})


class Adapter(SQLModel, table=True):
    iteration_id: int = Field(foreign_key="iteration.id", primary_key=True)
    path: str
    sha256: str
    base_model: str
    base_revision: str
    reference: str
    parent: str = ""
    config_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})
    data_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})


class Alert(SQLModel, table=True):
    """A sign that an iteration goes wrong, the first of its kind."""

    iteration_id: int = Field(foreign_key="iteration.id", primary_key=True)
    kind: str = Field(primary_key=True)
    seen: str = Field(sa_type=CleanText)
    advice: str = Field(sa_type=CleanText)
    step: int | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class TrainingStep(SQLModel, table=True):
    iteration_id: int = Field(foreign_key="iteration.id", primary_key=True)
    step: int = Field(primary_key=True)
    metrics: dict[str, Any] = Field(sa_type=JSON)


class Progress(SQLModel, table=True):
    """The phase under way, or the last one that was.

    `started_at` and `started_done` are of this phase in this attempt, so that the time left
    can be told after an interruption: (total - done) * elapsed / (done - started_done).
    """

    run_id: int = Field(foreign_key="run.id", primary_key=True)
    iteration: int
    phase: str
    done: int
    total: int
    started_done: int = 0
    started_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Gauge(SQLModel, table=True):
    """One row: what the machine was last seen doing, as `codelutra/gauges.py` reads it."""

    id: int | None = Field(default=None, primary_key=True)
    values: dict[str, Any] = Field(sa_type=JSON)
    read_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class LogLine(SQLModel, table=True):
    __table_args__ = (Index("ix_logline_run_id_id", "run_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id")
    message: str = Field(sa_type=CleanText)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class TaskCheck(SQLModel, table=True):
    """One look at every gold of a task set; its status is that of workflow `check-ID`."""

    id: int | None = Field(default=None, primary_key=True)
    tasks: str = Field(index=True)  # the set's name, or the path of its file
    done: int = 0
    total: int
    findings: list[dict[str, str]] | None = Field(default=None, sa_type=JSON)  # when all is done
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
