"""A task: what the model reads, and what its verdict is compared with."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from codelutra.languages import LANGUAGES, language_of
from codelutra.records import Split

Match = Literal["exact", "bird", "spider", "evalplus"]
PROOFS = ("tolerance", "tests", "inputs", "stdin")  # by which a verdict comes


class Task(BaseModel):
    """One problem. The gold never leaves the trusted side; only `setup` and a program are run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_id: str = Field(min_length=1)
    kind: str = Field(description="the language: sql, python, javascript")
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
    harness: Literal["asserts", "ds1000"] = Field(
        "asserts", description="what `tests` is: asserts, or a code_context of DS-1000 (python)"
    )
    prefix: str = Field(
        "",
        description="end of the prompt that a completion continues unless it begins anew (python)",
    )
    entry_point: str = Field("", description="function that `check` is called with (python)")
    inputs: tuple[str, ...] = Field(
        (), description="calls whose expected values are those that the gold gives (python)"
    )
    stdin: tuple[str, ...] = Field(
        (), description="what is to be read, one run each; else one run without (javascript)"
    )
    timeout_s: float = Field(
        0.0, ge=0, description="CPU seconds it needs where the sandbox allows less (not sql)"
    )

    @property
    def is_tested(self) -> bool:
        """Is there no `answer` to compare, but calls of a program?"""
        return bool(self.tests or self.inputs)

    @property
    def gold_completion(self) -> str:
        """The gold as a completion of the prompt."""
        return self.gold.removeprefix(self.prefix)

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        return language_of(kind).kind

    @model_validator(mode="after")
    def _fits_its_language(self) -> Self:
        language = language_of(self.kind)
        if self.match not in language.matches:
            kinds = " and ".join(
                kind for kind, one in LANGUAGES.items() if self.match in one.matches
            )
            raise ValueError(
                f"match {self.match!r} is for {kinds} tasks: leave it out of a {self.kind} task"
            )
        for field in PROOFS:
            if getattr(self, field) not in ((), None) and field not in language.fields:
                kinds = " and ".join(kind for kind, one in LANGUAGES.items() if field in one.fields)
                raise ValueError(
                    f"`{field}` is for {kinds} tasks: leave it out of a {self.kind} task"
                )
        if complaint := language.complaint(self):
            raise ValueError(complaint)
        return self
