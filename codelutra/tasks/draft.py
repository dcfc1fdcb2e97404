"""A task as its set publishes it: before its prompt is written and its split is drawn."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Draft:
    """`task` has the fields of `Task`, prompt left out; `parts` are what a template may name."""

    task: dict[str, Any]
    parts: dict[str, str]


@dataclass(frozen=True)
class Published:
    """A set as it was read. `left_out` has a reason for each task that cannot be used."""

    format: str
    template: str
    drafts: list[Draft]
    left_out: dict[str, str] = field(default_factory=dict)  # by task_id
