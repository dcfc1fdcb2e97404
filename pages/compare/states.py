"""Which model states can be compared: bases, iterations of runs, and others by path or address."""

import json
from pathlib import Path

from sqlmodel import Session

from codelutra.config import STARTER, check_address
from codelutra.errors import CodeLutraError
from codelutra.model_states import ModelState
from pages.format import percent
from pages.roles import Role, require
from storage import queries, trained
from storage.models import Adapter, Iteration, Run

MANIFEST, SETTINGS = "codelutra.json", "adapter_config.json"


def choices(session: Session) -> list[tuple[str, str]]:
    """(what a person reads, key), iterations of the newest runs first."""
    found = [(label_of(run, i), key_of(run, i)) for run, i, _ in trained.adapters(session)]
    bases = {STARTER, *(run.config["model"] for run in queries.list_runs(session))}
    return [*((f"{base} (base)", f"base:{base}") for base in sorted(bases)), *found]


def first_two(session: Session) -> list[str]:
    """What a visitor most likely wants: the newest iteration against its base."""
    newest = next(iter(trained.adapters(session)), None)
    if newest is None:
        return [f"base:{STARTER}"]
    run, iteration, _ = newest
    return [f"base:{run.config['model']}", key_of(run, iteration)]


def find(session: Session, key: str) -> ModelState:
    """Raises CodeLutraError, in one line, where there is no such state."""
    key = key.strip()
    kind, _, rest = key.partition(":")
    if kind == "base":
        return _base(session, rest)
    if kind == "run":
        return _iteration(session, rest)
    require(Role.OWNER)  # any folder of the machine, any server that is then sent its key
    address = key.removeprefix("remote:")  # as a comparison keeps it
    if address.startswith(("http://", "https://")):
        return _remote(address)
    return _adapter(session, key.removeprefix("adapter:"))


def key_of(run: Run, iteration: Iteration) -> str:
    return f"run:{run.id}/{iteration.number}"


def name_of_key(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "run":
        run_id, _, number = rest.partition("/")
        return f"Run {run_id}, iteration {number}"
    return f"{rest} (base)" if kind == "base" else rest


def label_of(run: Run, iteration: Iteration) -> str:
    score = "" if iteration.pass_at_1 is None else f", pass@1 {percent(iteration.pass_at_1)}"
    return f"Run {run.id}, iteration {iteration.number} ({run.config['model']}{score})"


def _base(session: Session, model: str) -> ModelState:
    runs = [run for run in queries.list_runs(session) if run.config["model"] == model]
    if not runs and model != STARTER:
        raise CodeLutraError(f"no run is of the base {model!r}")
    config = runs[0].config if runs else {}
    return ModelState(
        f"base:{model}", f"{model} (base)", "base", model,
        backend=config.get("generation", {}), chat_template=config.get("chat_template", "auto"),
    )  # fmt: skip


def _iteration(session: Session, place: str) -> ModelState:
    run_id, _, number = place.partition("/")
    is_place = run_id.isdecimal() and number.isdecimal()
    known = trained.adapters(session, run_id=int(run_id), number=int(number)) if is_place else []
    if not known:
        raise CodeLutraError(f"there is no adapter of run:{place}: it is trained by that iteration")
    run, iteration, adapter = known[0]
    return _of_run(run, iteration, adapter)


def _of_run(run: Run, iteration: Iteration, adapter: Adapter) -> ModelState:
    return ModelState(
        key_of(run, iteration), f"Run {run.id}, iteration {iteration.number}", "iteration",
        adapter.base_model, adapter.base_revision, adapter.path, adapter.sha256, run.id,
        iteration.number, run.config.get("generation", {}), run.config.get("chat_template", "auto"),
    )  # fmt: skip


def _adapter(session: Session, folder: str) -> ModelState:
    """A folder as PEFT writes it; what it says of itself in a manifest of ours counts."""
    path = Path(folder).expanduser()
    if not (path / SETTINGS).is_file():
        raise CodeLutraError(
            f"{folder!r} is no model state: choose one of the list, or give the folder of an "
            "adapter, or `http://server:8000/v1 model`"
        )
    known = json.loads((path / SETTINGS).read_text(encoding="utf-8"))
    if (path / MANIFEST).is_file():
        known |= json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    base = known.get("base_model") or known.get("base_model_name_or_path")
    if not base:
        raise CodeLutraError(f"{folder} does not say which base it is of")
    return ModelState(
        f"adapter:{path.absolute()}", f"adapter {path.name}", "adapter", base,
        known.get("base_revision", ""), str(path.absolute()), known.get("sha256", ""),
    )  # fmt: skip


def _remote(address: str) -> ModelState:
    url, _, model = address.partition(" ")
    try:
        check_address(url)
    except ValueError as error:
        raise CodeLutraError(str(error)) from None
    if not model.strip():
        raise CodeLutraError(f"name the model behind the address: `{url} MODEL`")
    label = f"{model.strip()} at {url}"
    return ModelState(
        f"remote:{url} {model.strip()}", label, "remote", model.strip(), url=url.rstrip("/")
    )
