"""Sampling programs: one Protocol, one file a backend, and the engine that runs one in a child."""

from codelutra.generation.backend import (
    Chunk,
    Completion,
    GenerationRequest,
    Generator,
    load_generator,
)
from codelutra.generation.engine import Drawn, Engine, Policy

__all__ = [
    "Chunk",
    "Completion",
    "Drawn",
    "Engine",
    "GenerationRequest",
    "Generator",
    "Policy",
    "load_generator",
]
