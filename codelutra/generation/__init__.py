"""Sampling programs: one Protocol, one file a backend, and the phase that runs it in a child."""

from codelutra.generation.backend import (
    GenerationRequest,
    Generator,
    load_generator,
    request_from_job,
)
from codelutra.generation.phase import generate

__all__ = ["GenerationRequest", "Generator", "generate", "load_generator", "request_from_job"]
