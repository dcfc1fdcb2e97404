"""Answers of several model states to one prompt, at once, from one engine. Knows no database."""

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codelutra.adapters import lora_rank
from codelutra.config import OpenAIBackend, TransformersBackend, VllmBackend, default_backend
from codelutra.errors import CodeLutraError, GenerationError, StopRequested
from codelutra.generation.backend import BACKENDS, GenerationRequest
from codelutra.model_states import ModelState, Proof, problem_of
from codelutra.models import has_chat_template, resolve_model
from codelutra.serving.client import Client, Piece
from codelutra.serving.server import BASE, Server, Wanted

POLL_S = 0.15
CHARACTERS = 100  # that a token has at most, but for spaces
MAX_CHARACTERS = 200_000  # of one completion: a server that never ends is left
RANK = 64  # of adapters that a server is started for, at least


@dataclass
class Told:
    """What a column has said so far."""

    proof: Proof
    texts: dict[int, str] = field(default_factory=dict)
    endings: dict[int, str] = field(default_factory=dict)
    error: str = ""
    is_cut: bool = False  # by us: it said more than was asked for
    is_over: bool = False


def wanted_of(states: list[ModelState]) -> dict[Wanted, list[int]]:
    """The servers that are needed for states that are not remote: each with its columns."""
    ranks = [lora_rank(s.adapter) for s in states if s.adapter and s.kind != "remote"]
    rank = max([RANK, *ranks])
    found: dict[Wanted, list[int]] = {}
    for place, state in enumerate(states):
        if state.kind != "remote":
            backend = BACKENDS.validate_python(state.backend) if state.backend else None
            if backend is None or isinstance(backend, OpenAIBackend):
                backend = default_backend()  # its adapters are here, whoever sampled for the run
            assert isinstance(backend, TransformersBackend | VllmBackend)
            found.setdefault(Wanted(state.model, backend, rank), []).append(place)
    return found


def load(server: Server, state: ModelState) -> Proof:
    """Load what the state needs; who then answers. Raises AdapterError, GenerationError."""
    proof = Proof(
        model=state.model,
        revision=server.revision,
        recorded_revision=state.revision,
        recorded_sha256=state.sha256,
        backend=server.wanted.backend.backend,
    )
    if not state.adapter:
        problem = problem_of(state, sha256="", revision=server.revision, engine="")
        return replace(proof, problem=problem)
    loaded = server.load(name_of(state), state.adapter)
    problem = problem_of(
        state, sha256=loaded.sha256, revision=server.revision, engine=loaded.problem
    )
    return replace(
        proof, adapter=loaded.name, sha256=loaded.sha256, probe=loaded.probe, problem=problem
    )


def name_of(state: ModelState) -> str:
    """In the engine: another one for what training recorded otherwise, or that lies elsewhere."""
    word = re.sub(r"[^A-Za-z0-9]+", "-", state.key).strip("-")[-60:]
    return f"{word}-{state.sha256[:12] or 'unrecorded'}"


def prompt_of(state: ModelState, prompt: str) -> str:
    """What the model reads: a chat template is put around it here, as in a run."""
    if state.chat_template == "never" or state.kind == "remote":
        return prompt
    if not has_chat_template(state.model):
        return prompt
    from codelutra.chat import model_prompt
    from codelutra.generation.reading import load_tokenizer

    return model_prompt(load_tokenizer(resolve_model(state.model)), prompt)


def stream(
    sources: Mapping[int, tuple[Client, str, str, Proof]],
    request: GenerationRequest,
    should_stop: Callable[[], bool],
) -> Iterator[dict[int, Told]]:
    """All columns at once; `sources` has of each the server, its model, the prompt, and the proof.

    Yields what all have said by now, several times a second. Raises StopRequested. An error of
    one column is in its Told.
    """
    told = {place: Told(proof) for place, (*_, proof) in sources.items()}
    limit = min(MAX_CHARACTERS, CHARACTERS * request.max_new_tokens)
    pieces: queue.Queue[tuple[int, Piece | CodeLutraError | None]] = queue.Queue()
    is_stopped = threading.Event()

    def ask(place: int, client: Client, model: str, prompt: str) -> None:
        try:
            for piece in client.stream(model, prompt, request):
                pieces.put((place, piece))
                told[place].is_cut = len(told[place].texts.get(piece.index, "")) > limit
                if is_stopped.is_set() or told[place].is_cut:
                    break
        except CodeLutraError as error:
            pieces.put((place, error))
        except Exception as error:  # of the connection: a server that was killed breaks it anyhow
            pieces.put((place, GenerationError(f"{type(error).__name__}: {error}")))
        finally:
            pieces.put((place, None))

    for place, (client, model, prompt, _) in sources.items():
        threading.Thread(target=ask, args=(place, client, model, prompt), daemon=True).start()
    started = time.monotonic()
    try:
        while not all(each.is_over for each in told.values()):
            if should_stop():
                raise StopRequested("stopped on request")
            deadline = time.monotonic() + POLL_S
            while (left := deadline - time.monotonic()) > 0:
                try:
                    place, piece = pieces.get(timeout=left)
                except queue.Empty:
                    break
                _take(told[place], piece, time.monotonic() - started)
            yield told
    finally:
        is_stopped.set()


def _take(told: Told, piece: Piece | CodeLutraError | None, seconds: float) -> None:
    if piece is None:
        told.is_over = True
        unfinished = told.texts.keys() - told.endings.keys()
        if told.is_cut:
            told.endings |= dict.fromkeys(unfinished, "length")
        elif unfinished and not told.error:
            told.error = "the server ended in the middle of its answer"
    elif isinstance(piece, CodeLutraError):
        told.error = str(piece)
    else:
        told.texts[piece.index] = told.texts.get(piece.index, "") + piece.text
        if piece.ending:
            told.endings[piece.index] = piece.ending
        tokens = max(told.proof.num_tokens, piece.num_tokens)
        told.proof = replace(told.proof, num_tokens=tokens, seconds=seconds)


def request_of(settings: Mapping[str, Any]) -> GenerationRequest:
    return GenerationRequest(
        num_samples=settings["num_samples"],
        temperature=settings["temperature"],
        top_p=settings["top_p"],
        max_new_tokens=settings["max_new_tokens"],
        seed=settings["seed"],
        stop=tuple(settings["stop"]),
    )


def model_of(proof: Proof) -> str:
    """Its name in the engine."""
    return proof.adapter or BASE
