"""The child's side of our own server: loads the base, listens, and serves until it is killed."""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from codelutra.config import TransformersBackend
from codelutra.serving.api import build
from codelutra.serving.switching import SwitchingGenerator

Send = Callable[[dict[str, Any]], None]


def serve(job: dict[str, Any], send: Send) -> None:
    """Says the port that it listens on. Adapters come later, by /v1/load_lora_adapter."""
    config = TransformersBackend.model_validate(job["backend"])
    generator = SwitchingGenerator(config, job["model"], job["chat_template"])
    app = build(generator, job["name"], revision=job["revision"], token=job["token"], may_load=True)
    listening = socket.create_server(("127.0.0.1", 0))
    send({"port": listening.getsockname()[1]})
    run(app, listening)


def run(app: Any, listening: socket.socket) -> None:
    settings = uvicorn.Config(app, log_level="warning", lifespan="off")
    uvicorn.Server(settings).run(sockets=[listening])
