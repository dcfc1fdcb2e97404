"""A task: what the model reads, and what its verdict is compared with."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from codelutra.records import Split

TaskKind = Literal["sql", "python"]


class Task(BaseModel):
    """One problem. The gold never leaves the trusted side; only `setup` and a program are run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_id: str = Field(min_length=1)
    kind: TaskKind
    split: Split = "train"
    prompt: str = Field(min_length=1, description="exactly what the model reads")
    gold: str = Field(min_length=1, description="the reference program")
    family: str = Field("", description="database or frame; splits go by it, never by row")
    tags: tuple[str, ...] = ()
    database: str = Field("", description="path of the SQLite file (sql)")
    setup: str = Field("", description="trusted code that defines the inputs (python)")
    answer: str = Field("result", description="variable that holds a program's answer (python)")
