"""A run's base and adapters served to others, in this process: by vLLM's own server, or ours."""

import os
import socket
from dataclasses import dataclass
from importlib.util import find_spec

from codelutra.adapters import lora_rank
from codelutra.config import TransformersBackend, VllmBackend
from codelutra.errors import CodeLutraError
from codelutra.model_files import fetch_model
from codelutra.models import model_revision, resolve_model
from codelutra.serving import vllm_child
from codelutra.serving.curl import curl_line


@dataclass(frozen=True)
class Offer:
    """`adapters` are folders by name; the base has the name that the run gives it."""

    model: str
    adapters: dict[str, str]
    host: str
    port: int
    token: str
    is_chat: bool = False  # the run put the base's chat template around its prompts


def has_vllm() -> bool:
    return find_spec("vllm") is not None


def first_request(offer: Offer) -> str:
    name = next(reversed(offer.adapters), offer.model)
    address = f"http://{offer.host}:{offer.port}"
    return curl_line(address, name, is_chat=offer.is_chat, has_key=bool(offer.token))


def serve(offer: Offer, backend: TransformersBackend | VllmBackend) -> int:
    """Until Ctrl-C. vLLM takes this process's place."""
    fetch_model(resolve_model(offer.model))
    if isinstance(backend, VllmBackend):
        job = {
            "backend": backend.model_dump(mode="json"),
            "model": resolve_model(offer.model),
            "name": offer.model,
            "host": offer.host,
            "port": offer.port,
            "token": offer.token,
            "adapters": offer.adapters,
            "rank": max([8, *map(lora_rank, offer.adapters.values())]),
        }
        command = vllm_child.settled(job)
        print(first_request(offer), flush=True)
        os.execve(command[0], command, vllm_child.environment(job))
    from codelutra.serving.api import build
    from codelutra.serving.phase import run
    from codelutra.serving.switching import SwitchingGenerator

    try:
        listening = socket.create_server((offer.host, offer.port))
    except OSError as error:
        raise CodeLutraError(
            f"cannot listen on {offer.host} port {offer.port} ({error.strerror}): choose another "
            "with --port"
        ) from error
    generator = SwitchingGenerator(backend, resolve_model(offer.model), "never")
    for name, folder in offer.adapters.items():
        generator.load_adapter(name, folder)
    app = build(
        generator, offer.model, revision=model_revision(offer.model), token=offer.token,
        may_load=False,
    )  # fmt: skip
    print(first_request(offer), flush=True)
    run(app, listening)
    return 0
