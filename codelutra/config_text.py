"""A run's settings as text that gives the same run again: a command line, and a YAML file.

Every value is read by its setting's own type, wherever it was written.
"""

import difflib
import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from codelutra.config import STARTER, RefineConfig
from codelutra.config_rows import config_rows
from codelutra.errors import CodeLutraError
from codelutra.tasks.quarantine import leave_out_quarantined

OPTIONS = ("tasks", "model", "iterations")  # always said, by options of their own
HEADER = (
    "# The settings of a CodeLutra run. Start it again: python -m codelutra refine --config FILE\n"
)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"training.beta": 0.1} as {"training": {"beta": 0.1}}."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        place = found
        *parents, name = path.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise CodeLutraError(f"{parent} is a group of settings: it has no value of its own")
        place[name] = value
    return found


def parse_settings(lines: Iterable[str]) -> dict[str, Any]:
    """Of NAME=VALUE each, by path. Lists are written as JSON."""
    found: dict[str, Any] = {}
    for line in lines:
        path, separator, value = (part.strip() for part in line.partition("="))
        if not separator:
            raise CodeLutraError(f"setting {line!r}: write NAME=VALUE, e.g. training.mode=dpo")
        found[path] = _parsed(line, value)
    return found


def changes_of(config: RefineConfig) -> dict[str, Any]:
    """What is not the default of its model on this machine, by path.

    The quarantine as it is now is a default, too: where a run had another, it is said.
    """
    config = leave_out_quarantined(config)
    here = RefineConfig.for_model(config.model, tasks=config.tasks)
    backend = config.generation.backend
    changes: dict[str, Any] = {}
    if backend != here.generation.backend:
        changes["generation.backend"] = backend
        here = RefineConfig.for_model(
            config.model, tasks=config.tasks, generation={"backend": backend}
        )
    defaults = {path: value for path, value, _ in config_rows(leave_out_quarantined(here))}
    rows = config_rows(config)
    return changes | {path: value for path, value, _ in rows if value != defaults[path]}


def setting_line(path: str, value: Any) -> str:
    """NAME=VALUE, as `parse_settings` reads it."""
    if isinstance(value, tuple | list):
        return f"{path}={json.dumps(list(value))}"
    return f"{path}={str(value).lower() if isinstance(value, bool) else value}"


def command_of(config: RefineConfig) -> str:
    """The command that does the same without the web."""
    words = ["python", "-m", "codelutra", "refine"]
    for name in OPTIONS:
        words += [f"--{name}", str(getattr(config, name))]
    for path, value in changes_of(config).items():
        if path not in OPTIONS:
            words += ["--set", setting_line(path, value)]
    return shlex.join(words)


def to_yaml(config: RefineConfig) -> str:
    """Every setting, so that other defaults, on another machine or later, change nothing."""
    rows = config.model_dump(mode="json")
    text: str = yaml.safe_dump(rows, sort_keys=False, allow_unicode=True)
    return HEADER + text


def read_yaml(text: str, name: str) -> dict[str, Any]:
    """The settings in a file called `name`, as `RefineConfig.for_model` takes them, checked.

    What is wrong is told with its line.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.BaseLoader)
        found = yaml.load(text, Loader=yaml.BaseLoader)  # scalars stay text: "no" is no boolean
    except yaml.YAMLError as error:
        raise CodeLutraError(f"{name}{_at(error)}: this is no YAML: {_problem(error)}") from error
    if not isinstance(found, dict):
        raise CodeLutraError(f"{name}: settings are lines such as `model: starter`")
    try:
        config_of(found)
    except ValidationError as error:
        raise CodeLutraError("; ".join(_explain(error, name, _lines(tree)))) from error
    return found


def config_of(settings: Mapping[str, Any]) -> RefineConfig:
    """On top of the defaults of the model that is among them."""
    rest = dict(settings)
    model = rest.pop("model", STARTER)
    return RefineConfig.for_model(model if isinstance(model, str) else "", **rest)


def problems_of(error: ValidationError) -> list[tuple[str, str, Any]]:
    """Of each wrong setting: its path, what is wrong with it, and what was given."""
    return [
        (_path(problem["loc"]), _plain(problem), problem["input"]) for problem in error.errors()
    ]


def unknown_setting(path: str) -> str:
    """What else may be meant."""
    paths = [known for known, _, _ in config_rows(RefineConfig())]
    close = difflib.get_close_matches(path, paths, 1) or difflib.get_close_matches(
        path.rsplit(".", 1)[-1], paths, 1, 0.5
    )
    return "there is no such setting" + (f": did you mean {close[0]}?" if close else "")


def _path(place: tuple[int | str, ...]) -> str:
    """Without the name of the backend, by which pydantic tells the three apart."""
    names = [str(part) for part in place]
    if names[0] == "generation" and len(names) > 2:
        del names[1]
    return ".".join(names)


def _plain(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return unknown_setting(_path(problem["loc"]))
    message = str(problem["msg"])
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _explain(error: ValidationError, name: str, lines: Mapping[str, int]) -> list[str]:
    parts = []
    for path, message, given in problems_of(error):
        where = next((lines[p] for p in _and_above(path) if p in lines), None)
        place = f"{name}, line {where}" if where else name
        shown = (
            "" if isinstance(given, dict) or "no such setting" in message else f", not {given!r}"
        )
        parts.append(f"{place}: {path}: {message}{shown}")
    return parts


def _and_above(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _lines(node: yaml.Node | None, before: str = "") -> dict[str, int]:
    """Where each setting is, counted from 1."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{before}{key.value}"
            found[path] = key.start_mark.line + 1
            found |= _lines(value, f"{path}.")
    return found


def _at(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def _parsed(line: str, value: str) -> Any:
    if not value.startswith("["):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise CodeLutraError(f"setting {line}: write a list as in [1.0, 0.8]") from error
