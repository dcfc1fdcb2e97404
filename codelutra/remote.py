"""A model on somebody else's OpenAI-compatible server, as a column of Compare."""

import os

from codelutra.generation.openai_backend import KEY_VARIABLES
from codelutra.model_states import ModelState, Proof
from codelutra.serving.client import Client


def client_of(state: ModelState, prompt: str) -> tuple[Client, str, str, Proof]:
    """Server, model, prompt, and what can be said of who answers: only what the server says."""
    key = next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), "")
    proof = Proof(model=state.model, backend=f"remote, {state.url}")
    return Client(state.url, key), state.model, prompt, proof
