"""The tables of Compare: what was asked, what was answered, what people made of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.models import CleanText, UtcDateTime, utc_now


class Comparison(SQLModel, table=True):
    """One prompt for two to four model states; its status is that of workflow `compare-ID`.

    `columns` holds a state each (codelutra.model_states), in the order in which they are shown.
    """

    id: int | None = Field(default=None, primary_key=True)
    tasks: str = Field(default="")  # the set that `task` is of; '' for a person's own
    task_id: str = Field(default="", sa_type=CleanText)
    prompt: str = Field(sa_type=CleanText)
    task: dict[str, Any] = Field(sa_type=JSON)  # as it was; its gold is '' where none is known
    columns: list[dict[str, Any]] = Field(sa_type=JSON)
    # num_samples, temperature, top_p, max_new_tokens, seed, stop
    settings: dict[str, Any] = Field(sa_type=JSON)
    is_blind: bool = False
    note: str = Field(default="", sa_type=CleanText)  # what it waits for
    proofs: list[dict[str, Any]] | None = Field(default=None, sa_type=JSON)  # one a column
    seen_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)  # by a page
    is_stopped: bool = False  # somebody wished so
    wants_probe: bool = False
    probe: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Answer(SQLModel, table=True):
    """A completion of one column; `state` is waiting, answering, done, stopped or failed."""

    __table_args__ = (UniqueConstraint("comparison_id", "place", "index"),)

    id: int | None = Field(default=None, primary_key=True)
    comparison_id: int = Field(foreign_key="comparison.id")
    place: int  # of the column
    index: int
    text: str = Field(default="", sa_type=CleanText)
    state: str = "waiting"
    ending: str = ""  # stop or length
    error: str = Field(default="", sa_type=CleanText)
    # When it was run: verdict ('' where no answer is expected), detail, seconds, output,
    # extraction, outcome, and `shown`, its value.
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)


class Vote(SQLModel, table=True):
    """What somebody found best: the place of a column, or tie or bad. One a comparison."""

    comparison_id: int = Field(foreign_key="comparison.id", primary_key=True)
    choice: str
    states: list[str] = Field(sa_type=JSON)  # keys of the columns, by place
    was_blind: bool
    voter: str = Field(sa_type=CleanText)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Batch(SQLModel, table=True):
    """Many prompts through several states; its status is that of workflow `batch-ID`."""

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(foreign_key="run.id")  # with whose settings and tasks
    tasks: str = ""  # '' for those that the run was scored on, else a set or a file
    name: str = Field(default="", sa_type=CleanText)  # of the tasks, as a person calls them
    states: list[dict[str, Any]] = Field(sa_type=JSON)
    note: str = Field(default="", sa_type=CleanText)
    done: int = 0
    total: int = 0
    scores: list[dict[str, Any]] | None = Field(default=None, sa_type=JSON)
    path: str = ""  # of the table, a row for each task and state
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Engine(SQLModel, table=True):
    """What the worker says of its engine server; the only row has id 1.

    `state` is stopped, starting, ready, evicted (by `run_id`) or failed (`reason`).
    """

    id: int | None = Field(default=1, primary_key=True)
    state: str = "stopped"
    base: str = ""
    backend: str = ""
    adapters: list[str] = Field(default_factory=list, sa_type=JSON)
    reason: str = Field(default="", sa_type=CleanText)
    run_id: int | None = None
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
