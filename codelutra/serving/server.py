"""An engine server as a child process: a base on loopback, adapters loaded by name when asked for.

Each adapter is loaded from a private copy, so that the sha256 is of the bytes that were loaded
whatever becomes of the original meanwhile.
"""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codelutra.adapters import SETTINGS, WEIGHTS
from codelutra.config import TransformersBackend, VllmBackend
from codelutra.errors import AdapterError, GenerationError
from codelutra.model_files import fetch_model
from codelutra.models import file_sha256, model_revision, resolve_model
from codelutra.phase import PhaseChild
from codelutra.probe import FILE as PROBE
from codelutra.probe import check_answer, read_probe
from codelutra.serving.client import Client
from codelutra.serving.vllm_child import VllmChild

BASE = "base"


@dataclass(frozen=True)
class Wanted:
    """What a server is of: another one cannot take its place. `rank`: of its largest adapter."""

    model: str
    backend: TransformersBackend | VllmBackend
    rank: int = 64


@dataclass(frozen=True)
class Loaded:
    """An adapter as the engine has it; `probe` says what answers under its name, or `problem`
    that it is not what was trained."""

    name: str
    sha256: str
    probe: str = ""
    problem: str = ""


class Server:
    def __init__(self, wanted: Wanted, place: Path) -> None:
        """Starts the child; `wait_until_ready` comes next. One server at a time has `place`."""
        self.wanted, self._log = wanted, place / "engine.log"
        self.adapters: dict[str, Loaded] = {}  # by name
        self._token = secrets.token_urlsafe(24)
        self._folder = place / "adapters"
        shutil.rmtree(self._folder, ignore_errors=True)  # left by a worker that was killed
        self._folder.mkdir(parents=True)
        self.revision = ""  # of the base, known when it is ready
        if isinstance(wanted.backend, VllmBackend):
            self._child: PhaseChild | VllmChild = VllmChild(self._log)
        else:
            self._child = PhaseChild("serve", log=self._log, error=GenerationError)

    def wait_until_ready(self, should_stop: Callable[[], bool]) -> None:
        """Raises GenerationError when it does not start, StopRequested when told to stop."""
        model = resolve_model(self.wanted.model)
        fetch_model(model, should_stop=should_stop)
        self.revision = model_revision(self.wanted.model)
        job = {
            "backend": self.wanted.backend.model_dump(mode="json"),
            "model": model,
            "chat_template": "never",  # who asks has put the template around the prompt
            "name": BASE,
            "revision": self.revision,
            "token": self._token,
            "rank": self.wanted.rank,
        }
        messages = self._child.ask(job, log=self._log, should_stop=should_stop)
        port = next(message["port"] for message in messages)
        self.client = Client(f"http://127.0.0.1:{port}/v1", self._token)

    def load(self, name: str, folder: str) -> Loaded:
        """Raises AdapterError, GenerationError."""
        if name in self.adapters:
            return self.adapters[name]
        copy = self._folder / name
        copy.mkdir()
        for file in (WEIGHTS, SETTINGS, PROBE):
            source = Path(folder) / file
            if source.is_file():
                shutil.copyfile(source, copy / file)
            elif file != PROBE:
                raise AdapterError(f"adapter {folder} has no {file}")
        self.client.load_adapter(name, str(copy))
        sha256 = file_sha256(copy / WEIGHTS)
        said = self.client.models()[name].get("sha256", sha256)
        probe, problem = "", "" if said == sha256 else f"the engine says it loaded {said[:12]}"
        if known := read_probe(str(copy)):
            found = self.client.prompt_logprobs(name, known.token_ids)
            try:
                probe = check_answer(known, [each.logprob for each in found])
            except GenerationError as error:
                problem = str(error)
        self.adapters[name] = Loaded(name, sha256, probe, problem)
        return self.adapters[name]

    def stop(self) -> None:
        self._child.close()
        shutil.rmtree(self._folder, ignore_errors=True)
