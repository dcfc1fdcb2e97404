"""Runs again what a bundle describes: `python -m codelutra refine --from bundle.zip`.

Refused where it would not be the same run; what else may make results differ is said.
"""

import argparse
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from codelutra import __version__
from codelutra.bundle import (
    Bundle,
    Data,
    code_sha256,
    data_of,
    packages,
    read_bundle,
    this_machine,
)
from codelutra.config import RefineConfig, home
from codelutra.errors import CodeLutraError
from codelutra.ledger import Ledger
from codelutra.models import file_sha256, model_revision
from codelutra.tasks import Task

DECIDED = ("iterations", "seed", "max_train", "max_heldout", "settings", "smoke")  # by the bundle
REVIEWED = "people changed {} of the pairs of iteration {}, which running it again does not repeat"


@dataclass(frozen=True)
class Rerun:
    """A bundle's run on this machine; `folder` is its own, so that it goes on where it stopped."""

    bundle: Bundle
    config: RefineConfig
    folder: Path

    @classmethod
    def of(cls, options: argparse.Namespace) -> Self:
        """Of the command line; `--tasks` and `--model` say where the bundle's are here."""
        path: Path = options.bundle.expanduser()
        for name in DECIDED:
            if getattr(options, name) not in (None, [], False):
                option = "set" if name == "settings" else name.replace("_", "-")
                raise CodeLutraError(
                    f"--{option}: with --from the bundle alone decides the settings; leave it out"
                )
        found = read_bundle(path)
        config = _config(found, tasks=options.tasks or "", model=options.model or "")
        return cls(found, config, home() / "cli" / f"again-{file_sha256(path)[:12]}")

    def differences(self, tasks: Sequence[Task]) -> list[str]:
        """What may make results differ. CodeLutraError where it would not be the same run."""
        made, config = self.bundle, self.config
        here = data_of(config.tasks, tasks)
        if here.sha256 != made.tasks.sha256:
            raise CodeLutraError(
                f"the tasks differ from the bundle's: {_counted(here)} of {here.name} have sha256 "
                f"{here.sha256[:12]}, {_counted(made.tasks)} of {made.tasks.name} had "
                f"{made.tasks.sha256[:12]}: give the same set with --tasks"
            )
        revision = model_revision(config.model)
        if revision != made.model_revision:
            raise CodeLutraError(
                f"{config.model} is at {revision}, the bundle's run had {made.model_revision}: "
                "give that model with --model"
            )
        reviewed = [REVIEWED.format(n, iteration) for iteration, n in made.reviewed.items() if n]
        return [*_other_versions(made), *reviewed]

    def comparison(self, ledger: Ledger) -> list[str]:
        """A line a policy: its held-out result there and here, and whether it is the same one."""
        made = self.bundle
        there = {0: made.results.base}
        there |= {row.iteration: row.heldout for row in made.results.iterations}
        hashes = {row.iteration: row.sha256 for row in made.adapters}
        lines = []
        for number, held in there.items():
            here = ledger.scores(number)
            if held is None or here is None:
                continue
            words = f"pass@1 {held.pass_at_1:.1%} there, {here.pass_at_1:.1%} here"
            is_same = held.verdicts == here.verdicts
            words += ", every count of verdicts the same" if is_same else ", other verdicts"
            if adapter := ledger.adapter(number):
                which = "the same" if adapter.sha256 == hashes.get(number) else "another"
                words += f", {which} adapter"
            lines.append(f"{f'iteration {number}' if number else 'base'}: {words}")
        return lines


def _config(made: Bundle, *, tasks: str, model: str) -> RefineConfig:
    given = {"tasks": tasks, "model": model}
    try:
        return RefineConfig.model_validate(
            {**made.config, **{name: value for name, value in given.items() if value}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CodeLutraError(
            f"the bundle's setting {where}: {first['msg']}: use CodeLutra {made.codelutra}, "
            "which wrote it"
        ) from error


def _other_versions(made: Bundle) -> Iterator[str]:
    if made.code_sha256 != code_sha256():
        yield f"this is CodeLutra {__version__} with other code, it was {made.codelutra}"
    here = {"Python": platform.python_version(), **dict(packages()), **this_machine()}
    for name, there in {"Python": made.python, **made.packages, **made.machine}.items():
        if here.get(name) != there:
            yield f"{name}: {here.get(name, 'none')} here, {there} there"


def _counted(data: Data) -> str:
    return f"{sum(data.num_tasks.values()):,} tasks"
