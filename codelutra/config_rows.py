"""A run's settings as flat rows, and where those of several runs differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from codelutra.config import RefineConfig


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same everywhere; None where a run has no such setting."""

    path: str  # training.beta
    description: str
    values: list[Any]


def config_rows(settings: BaseModel, before: str = "") -> Iterator[tuple[str, Any, str]]:
    """Name, value and description of every setting, nested ones as `training.beta`."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from config_rows(value, f"{before}{name}.")
        else:
            yield before + name, value, field.description or ""


def differences(configs: Sequence[RefineConfig]) -> list[Difference]:
    """In the order of the settings; backends have settings of their own."""
    flat = [{name: value for name, value, _ in config_rows(config)} for config in configs]
    about = {name: words for config in configs for name, _, words in config_rows(config)}
    found = []
    for name, words in about.items():
        values = [rows.get(name) for rows in flat]
        if any(value != values[0] for value in values):
            found.append(Difference(name, words, values))
    return found
