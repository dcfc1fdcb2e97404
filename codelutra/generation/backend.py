"""What a backend must do, and the factory that picks one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from pydantic import TypeAdapter

from codelutra.backends import VLLM_MISSING
from codelutra.config import GenerationBackend, OpenAIBackend, TransformersBackend, VllmBackend
from codelutra.errors import GenerationError
from codelutra.generation.reading import Reader

Ending = Literal["end", "length", "too_long"]


@dataclass(frozen=True)
class GenerationRequest:
    """How to sample: n completions a prompt; temperature 0 is greedy; lengths in tokens.

    A completion ends before the first of the `stop` strings.
    """

    num_samples: int
    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int
    stop: tuple[str, ...] = ()
    logprobs: bool = False


@dataclass(frozen=True)
class Chunk:
    """Prompts that are reported together. The same chunks and seed draw the same text."""

    number: int
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Completion:
    """`ending` is `end` (of text, or a stop string), `length` (the limit) or `too_long`: the
    prompt and the longest completion do not fit the model's window, and `text` is empty.

    `logprob` is the sum over its tokens, of the model as it is (temperature 1), when asked for.
    """

    text: str
    num_tokens: int
    ending: Ending
    logprob: float | None = None


BACKENDS: TypeAdapter[TransformersBackend | VllmBackend | OpenAIBackend] = TypeAdapter(
    GenerationBackend
)
TOO_LONG = Completion("", 0, "too_long")
DrawnChunk = tuple[int, list[list[Completion]]]  # its number; n completions a prompt, in order


class Generator(Protocol):
    """A loaded policy."""

    reader: Reader

    def generate(self, chunks: Iterable[Chunk], request: GenerationRequest) -> Iterator[DrawnChunk]:
        """Every chunk once, in whatever order they finish; the prompts are not echoed."""
        ...

    def token_logprobs(self, token_ids: Sequence[int]) -> list[list[float]]:
        """Log-probability of each token but the first, in nats, given those before it.

        One list for every engine that may answer a prompt.
        """
        ...


def load_generator(
    backend: dict[str, Any],
    model: str,
    adapter: str = "",
    chat_template: str = "auto",
    key: str = "",
) -> Generator:
    """Load `model` (path or Hub id) with the LoRA `adapter` folder ('' for none).

    `key` is of the servers of another machine, for a process whose environment has none.
    """
    config = BACKENDS.validate_python(backend)
    if isinstance(config, TransformersBackend):
        from codelutra.generation.transformers_backend import TransformersGenerator

        return TransformersGenerator(config, model, adapter, chat_template)
    if isinstance(config, OpenAIBackend):
        from codelutra.generation.openai_backend import OpenAIGenerator

        return OpenAIGenerator(config, model, adapter, chat_template, key)
    if find_spec("vllm") is None:
        raise GenerationError(VLLM_MISSING)
    from codelutra.generation.vllm_backend import VllmGenerator

    generator: Generator = VllmGenerator(config, model, adapter, chat_template)
    return generator
