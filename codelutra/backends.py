"""Whether the chosen backend is there, asked before a run is stored. Imports no torch, no vLLM."""

from importlib.util import find_spec

from codelutra.config import OpenAIBackend, RefineConfig, VllmBackend
from codelutra.errors import GenerationError

VLLM_MISSING = (
    "vLLM is not installed here: pip install -r requirements-gpu.txt, "
    "or sample with generation.backend=transformers"
)


def check_backend(config: RefineConfig) -> None:
    """Raise GenerationError, in one line, when nothing could be sampled with it."""
    backend = config.generation
    if isinstance(backend, VllmBackend) and find_spec("vllm") is None:
        raise GenerationError(VLLM_MISSING)
    if isinstance(backend, OpenAIBackend):
        from codelutra.generation.openai_backend import check_servers
        from codelutra.models import resolve_model

        check_servers(backend, resolve_model(config.model), needs_adapters=True)
