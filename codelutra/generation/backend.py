"""What a backend must do, and the factory that picks one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from codelutra.config import TransformersBackend


@dataclass(frozen=True)
class GenerationRequest:
    """How to sample: n completions a prompt; temperature 0 is greedy; lengths in tokens."""

    num_samples: int
    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int


class Generator(Protocol):
    """A loaded policy."""

    def generate(self, prompts: Sequence[str], request: GenerationRequest) -> list[list[str]]:
        """n completions per prompt, in prompt order, prompt not echoed; same seed, same text."""
        ...


def load_generator(
    backend: dict[str, Any], model: str, adapter: str, chat_template: str = "auto"
) -> Generator:
    """Load `model` (path or Hub id) with the LoRA `adapter` folder ('' for none)."""
    from codelutra.generation.transformers_backend import TransformersGenerator

    config = TransformersBackend.model_validate(backend)
    return TransformersGenerator(config, model, adapter, chat_template)


def request_from_job(job: dict[str, Any], *, chunk: int) -> GenerationRequest:
    """The request of one chunk of a phase job: the job's, with a seed of the chunk's own."""
    request = GenerationRequest(**job["request"])
    return GenerationRequest(**{**vars(request), "seed": request.seed + chunk})
