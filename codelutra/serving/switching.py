"""One base in memory, its LoRA adapters beside it, and answers from any of them token by token.

Several requests may be under way: each step of each takes the model for itself, so that all of
them stream at once from weights that are loaded once.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from codelutra.adapters import WEIGHTS
from codelutra.config import TransformersBackend
from codelutra.errors import GenerationError
from codelutra.generation.backend import GenerationRequest
from codelutra.generation.reading import cut_at_stop, first_line
from codelutra.generation.transformers_backend import Decoding, TransformersGenerator
from codelutra.models import file_sha256

EVERY_S = 0.05  # at most so often a client is told what is new
UNFINISHED = "\ufffd"  # how the beginning of a character of several tokens reads


@dataclass
class Row:
    """What is told of one completion: `text` since the last time."""

    index: int
    text: str = ""
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str | None = None


@dataclass(frozen=True)
class News:
    rows: list[Row]
    num_tokens: int  # of all completions, so far


class SwitchingGenerator(TransformersGenerator):
    """Knows adapters by name; a name is never given to another adapter."""

    def __init__(self, config: TransformersBackend, model: str, chat_template: str) -> None:
        super().__init__(config, model, "", chat_template)
        self.adapters: dict[str, str] = {}  # name -> sha256 of what was loaded
        self._lock = threading.Lock()
        self._peft: Any = None

    def load_adapter(self, name: str, folder: str) -> str:
        """The sha256 of the weights, of the same file that they are loaded from."""
        from peft import PeftModel

        if name in self.adapters:
            raise GenerationError(f"an adapter {name} is loaded already: give another name")
        with self._lock:
            try:
                sha256 = file_sha256(Path(folder) / WEIGHTS)
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(self.model, folder, adapter_name=name)
                else:
                    self._peft.load_adapter(folder, adapter_name=name)
            except (OSError, ValueError, RuntimeError) as error:
                raise GenerationError(
                    f"cannot load adapter {folder}: {first_line(error)}"
                ) from error
            self._peft.to(self.device).eval()
        self.adapters[name] = sha256
        return sha256

    def stream(
        self, adapter: str, prompt_ids: list[int], request: GenerationRequest
    ) -> Iterator[News]:
        """n completions of one prompt by `adapter` ('' for the base), as they grow."""
        told = _Told(self, prompt_ids, request)
        steps = told.decoding.steps([prompt_ids])
        at, is_open = time.monotonic(), True
        while is_open:
            with self._answering(adapter):
                is_open = next(steps, None) is not None
            if not is_open or time.monotonic() - at >= EVERY_S:
                yield told.news(is_last=not is_open)
                at = time.monotonic()

    def prompt_logprobs(self, adapter: str, token_ids: Sequence[int]) -> list[float]:
        """Of each token but the first."""
        with self._answering(adapter):
            return self.token_logprobs(token_ids)[0]

    @contextmanager
    def _answering(self, adapter: str) -> Iterator[None]:
        """The model as `adapter` has it, for this thread alone."""
        with self._lock, torch.inference_mode():
            if adapter:
                self._peft.base_model.enable_adapter_layers()
                self._peft.base_model.set_adapter(adapter)
            elif self._peft is not None:
                self._peft.base_model.disable_adapter_layers()
            yield


class _Told:
    """What a client knows already of the completions of one request."""

    def __init__(
        self, generator: SwitchingGenerator, prompt_ids: list[int], request: GenerationRequest
    ) -> None:
        self.generator, self.prompt_ids, self.request = generator, prompt_ids, request
        self.decoding = Decoding(generator, request, generator.random(request.seed))
        self.texts = [""] * request.num_samples
        self.scored = [0] * request.num_samples
        self.is_over = [False] * request.num_samples

    def news(self, is_last: bool) -> News:
        decoding, found = self.decoding, []
        drawn = decoding.steps_done
        lengths = decoding.lengths.clamp(max=drawn).tolist()
        ended, tokens = decoding.ended, decoding.tokens[:, :drawn].tolist()
        for index, length in enumerate(lengths):
            if self.is_over[index]:
                continue
            row, has_ended = Row(index), ended[index]
            is_over = has_ended or is_last
            whole = self._text(tokens[index][:length], is_over)
            row.text = whole[len(self.texts[index]) :]
            self.texts[index] += row.text
            if self.request.logprobs:
                row.logprobs = decoding.logprobs[index, self.scored[index] : length].tolist()
                self.scored[index] = length
            if is_over:
                row.finish_reason = "stop" if has_ended else "length"
                self.is_over[index] = True
            if row.text or row.logprobs or row.finish_reason:
                found.append(row)
        return News(found, sum(lengths))

    def _text(self, new_ids: list[int], is_over: bool) -> str:
        """As far as it will not change any more."""
        text = self.generator.reader.completion(self.prompt_ids, new_ids)
        if is_over:
            return cut_at_stop(text, self.request.stop)
        held = max((len(stop) - 1 for stop in self.request.stop), default=0)
        text = text[: len(text) - held] if held else text
        return text.rstrip(UNFINISHED)
