"""Tasks of a set that runs leave out, because somebody does not trust their golds, and why.

One file a set below CODELUTRA_HOME/quarantine; a run keeps the ids it was queued with.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from codelutra.config import RefineConfig, home
from codelutra.errors import TaskError
from codelutra.tasks import list_task_sets


def quarantined(tasks: str) -> dict[str, str]:
    """Why each quarantined task of a set (its name, or the path of its file) is there, by id."""
    path = _path(tasks)
    try:
        return dict(json.loads(path.read_text("utf-8"))["tasks"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{path}: the quarantine of {tasks} cannot be read ({error})") from error


def quarantine(tasks: str, reasons: Mapping[str, str]) -> None:
    """Adds tasks, by id; one that is there already gets the new reason."""
    with _locked(tasks):
        _write(tasks, quarantined(tasks) | dict(reasons))


def release(tasks: str, task_ids: Collection[str]) -> None:
    with _locked(tasks):
        _write(tasks, {key: why for key, why in quarantined(tasks).items() if key not in task_ids})


def leave_out_quarantined(config: RefineConfig) -> RefineConfig:
    """The configuration with the quarantine of its set as it is now, unless it names its own."""
    if "quarantined" in config.model_fields_set:
        return config
    return config.model_copy(update={"quarantined": tuple(sorted(quarantined(config.tasks)))})


def _path(tasks: str) -> Path:
    name = tasks
    if tasks not in list_task_sets():
        path = Path(tasks).expanduser().resolve()
        name = "file-" + hashlib.sha256(str(path).encode()).hexdigest()[:24]
    return home() / "quarantine" / f"{name}.json"


@contextmanager
def _locked(tasks: str) -> Iterator[None]:
    path = _path(tasks)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(tasks: str, reasons: Mapping[str, str]) -> None:
    path = _path(tasks)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps({"set": tasks, "tasks": reasons}, indent=1) + "\n", "utf-8")
    os.replace(new, path)
