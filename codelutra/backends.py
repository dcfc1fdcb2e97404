"""What can be run here, asked before a run is stored. Imports no torch, no vLLM."""

import os
from collections.abc import Mapping
from importlib.util import find_spec

from codelutra.config import OpenAIBackend, RefineConfig, VllmBackend
from codelutra.errors import GenerationError

VLLM_MISSING = (
    "vLLM is not installed here: pip install -r requirements-gpu.txt, "
    "or sample with generation.backend=transformers"
)

ZERO_GPU = "SPACES_ZERO_GPU"  # set by Hugging Face where a GPU is lent by the call


def why_no_runs(environ: Mapping[str, str] = os.environ) -> str:
    """Why no model can be sampled or trained here, as a sentence's beginning; '' where it can."""
    if environ.get(ZERO_GPU):
        return "ZeroGPU lends its GPU for a minute a call, too short to sample or train"
    if find_spec("torch") is not None:
        return ""
    if environ.get("SPACE_ID"):
        return "this Space has neither torch nor a GPU"
    return "torch is not installed here (pip install -r requirements.txt)"


def check_here() -> None:
    """Raise GenerationError, in one line, where no run can be executed."""
    if reason := why_no_runs():
        raise GenerationError(f"no run can be executed here: {reason}")


def check_backend(config: RefineConfig) -> None:
    """Raise GenerationError, in one line, when nothing could be sampled with it."""
    backend = config.generation
    if isinstance(backend, VllmBackend) and find_spec("vllm") is None:
        raise GenerationError(VLLM_MISSING)
    if isinstance(backend, OpenAIBackend):
        from codelutra.generation.openai_backend import check_servers
        from codelutra.models import resolve_model

        check_servers(backend, resolve_model(config.model), needs_adapters=True)
