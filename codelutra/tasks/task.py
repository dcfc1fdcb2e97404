"""A task: what the model reads, and what its verdict is compared with."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codelutra.records import Split

TaskKind = Literal["sql", "python"]
Match = Literal["exact", "bird", "spider", "evalplus"]


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
    quoted_strings: bool = Field(
        False, description='"text" that names no column is a string; Spider needs it (sql)'
    )
    setup: str = Field("", description="trusted code that defines the inputs (python)")
    answer: str = Field("result", description="variable that holds a program's answer (python)")
    match: Match = Field(
        "exact", description="bird, spider (sql), evalplus (python): as its own evaluator"
    )
    tolerance: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="relative and absolute error a float may have (python); 1e-6 relative, "
        "1e-9 absolute when left out",
    )
    tests: tuple[str, ...] = Field(
        (), description="assert lines or a `def check(candidate)`; they replace `answer` (python)"
    )
    prefix: str = Field(
        "",
        description="end of the prompt that a completion continues unless it begins anew (python)",
    )
    entry_point: str = Field("", description="function that `check` is called with (python)")
    inputs: tuple[str, ...] = Field(
        (), description="calls whose expected values are those that the gold gives (python)"
    )
    timeout_s: float = Field(
        0.0, ge=0, description="CPU seconds it needs where the sandbox allows less (python)"
    )

    @property
    def is_tested(self) -> bool:
        """Is there no `answer` to compare, but calls of a program?"""
        return bool(self.tests or self.inputs)

    @property
    def gold_completion(self) -> str:
        """The gold as a completion of the prompt."""
        return self.gold.removeprefix(self.prefix)

    @model_validator(mode="after")
    def _compares_its_own_kind(self) -> Self:
        wanted = {"bird": "sql", "spider": "sql", "evalplus": "python"}.get(self.match, self.kind)
        if self.kind != wanted:
            raise ValueError(
                f"match {self.match!r} is for {wanted} tasks: leave it out of a {self.kind} task"
            )
        if self.kind == "sql" and self.tolerance is not None:
            raise ValueError("tolerance is for python tasks: leave it out of a sql task")
        return self

    @model_validator(mode="after")
    def _tests_can_fail(self) -> Self:
        text = "\n".join(self.tests)
        if self.inputs and (self.kind != "python" or self.tests or not self.entry_point):
            raise ValueError("`inputs` need a python task with an `entry_point` and no `tests`")
        if self.tests and self.kind != "python":
            raise ValueError("only a python task has `tests`")
        if self.tests and "assert" not in text:
            raise ValueError("`tests` assert nothing")
        if "def check(" in text and not self.entry_point:
            raise ValueError("`check` in `tests` needs an `entry_point`")
        return self
