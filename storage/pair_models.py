"""The tables of pairs and of what people make of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from storage.models import CleanText, UtcDateTime, utc_now


def _by(*columns: str) -> Index:
    return Index("ix_preferencepair_" + "_".join(columns), *columns)


class PreferencePair(SQLModel, table=True):
    """`chosen_index` or `rejected_index` is null for the task's gold, both for an imported pair.

    A unique constraint never sees two nulls as equal, hence the partial indexes. The others
    serve the queue of the Pairs tab: each of its orders, alone and behind its commonest filters.
    """

    __table_args__ = (
        UniqueConstraint("iteration_id", "task_id", "chosen_index", "rejected_index"),
        Index(
            "ux_preferencepair_gold_chosen",
            "iteration_id",
            "task_id",
            "rejected_index",
            unique=True,
            sqlite_where=text("chosen_index IS NULL"),
            postgresql_where=text("chosen_index IS NULL"),
        ),
        Index(
            "ux_preferencepair_gold_rejected",
            "iteration_id",
            "task_id",
            "chosen_index",
            unique=True,
            sqlite_where=text("rejected_index IS NULL"),
            postgresql_where=text("rejected_index IS NULL"),
        ),
        _by("run_id", "id"),
        _by("run_id", "doubt", "id"),
        _by("run_id", "shuffle", "id"),
        _by("run_id", "state", "id"),
        _by("run_id", "state", "doubt", "id"),
        _by("run_id", "state", "shuffle", "id"),
        _by("run_id", "rejected_verdict", "id"),
        _by("run_id", "rejected_verdict", "state", "doubt", "id"),
        _by("run_id", "task_id", "id"),
        _by("run_id", "reviewer", "id"),
        _by("run_id", "source", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    iteration_id: int = Field(foreign_key="iteration.id")
    run_id: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # of the iteration
    task_id: str
    chosen: str = Field(sa_type=CleanText)
    rejected: str = Field(sa_type=CleanText)
    chosen_index: int | None = None
    rejected_index: int | None = None
    source: str = Field(default="sampled", sa_column_kwargs={"server_default": "sampled"})
    prompt: str | None = Field(default=None, sa_type=CleanText)  # where no task has it
    rejected_verdict: str = Field(default="", sa_column_kwargs={"server_default": ""})
    words: str = Field(default="", sa_type=CleanText, sa_column_kwargs={"server_default": ""})
    doubt: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    shuffle: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # a random order
    # What review made of it. `version` counts its changes: who changes an old one is refused.
    state: str = Field(default="pending", sa_column_kwargs={"server_default": "pending"})
    reason: str = Field(default="", sa_column_kwargs={"server_default": ""})  # of a veto
    reviewer: str = Field(default="", sa_column_kwargs={"server_default": ""})
    version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    chosen_trial_id: int | None = None  # of an edited program
    rejected_trial_id: int | None = None
    holder: str = Field(default="", sa_column_kwargs={"server_default": ""})  # looks at it now
    held_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PairWarning(SQLModel, table=True):
    """A reason to look twice at a pair."""

    __table_args__ = (Index("ix_pairwarning_run_id_kind_pair_id", "run_id", "kind", "pair_id"),)

    pair_id: int = Field(foreign_key="preferencepair.id", primary_key=True)
    kind: str = Field(primary_key=True)
    run_id: int


class Review(SQLModel, table=True):
    """One change of one person to a pair: never altered but for `undone`.

    `was_*` is what it replaced (programs only where it edits them), so that any earlier state
    of a pair can be told; `version` is the pair's after it. A bulk action's rows share `batch`.
    """

    __table_args__ = (
        Index("ix_review_run_id_reviewer_undone_id", "run_id", "reviewer", "undone", "id"),
        Index("ix_review_batch_id", "batch", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    pair_id: int = Field(foreign_key="preferencepair.id", index=True)
    run_id: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    action: str
    reviewer: str
    reason: str = Field(default="", sa_type=CleanText)
    note: str = Field(default="", sa_type=CleanText, sa_column_kwargs={"server_default": ""})
    batch: str = Field(default="", sa_column_kwargs={"server_default": ""})
    version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    undone: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    was_state: str = Field(default="pending", sa_column_kwargs={"server_default": "pending"})
    was_reason: str = Field(default="", sa_column_kwargs={"server_default": ""})
    was_reviewer: str = Field(default="", sa_column_kwargs={"server_default": ""})
    was_chosen: str | None = Field(default=None, sa_type=CleanText)
    was_rejected: str | None = Field(default=None, sa_type=CleanText)
    was_chosen_trial_id: int | None = None
    was_rejected_trial_id: int | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Trial(SQLModel, table=True):
    """A program that a person had run for a task; its status is that of workflow `trial-ID`.

    One for a pair's `side` edits it when its verdict allows, or looks for another verdict.
    """

    id: int | None = Field(default=None, primary_key=True)
    tasks: str
    task_id: str
    completion: str = Field(sa_type=CleanText)
    repeats: int = 1
    pair_id: int | None = Field(default=None, foreign_key="preferencepair.id", index=True)
    pair_version: int = 0  # of the pair that the person saw
    side: str = ""
    is_edit: bool = False
    reviewer: str = ""
    # verdict, detail, seconds, output, extraction of each run; null until it has finished
    results: list[dict[str, Any]] | None = Field(default=None, sa_type=JSON)
    outcome: str = Field(default="", sa_type=CleanText)  # what became of it, in a sentence
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PairImport(SQLModel, table=True):
    """A file of pairs that a person gave to a run; its status is that of workflow `import-ID`."""

    __table_args__ = (Index("ix_pairimport_run_id_id", "run_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id")
    name: str = Field(sa_type=CleanText)  # as the person calls the file
    path: str  # where it is kept until it has been read
    skip_bad: bool = False
    comparison_id: int | None = None  # that its pair was judged in, of one that is no file
    done: int = 0  # pairs executed
    total: int = 0
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # when all is done
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
