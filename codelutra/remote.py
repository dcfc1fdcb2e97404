"""A model on somebody else's OpenAI-compatible server, as a column of Compare."""

from codelutra.generation.api_key import api_key
from codelutra.model_states import ModelState, Proof
from codelutra.serving.client import Client


def client_of(state: ModelState, prompt: str) -> tuple[Client, str, str, Proof]:
    """Server, model, prompt, and what can be said of who answers: only what the server says."""
    proof = Proof(model=state.model, backend=f"remote, {state.url}")
    return Client(state.url, api_key()), state.model, prompt, proof
