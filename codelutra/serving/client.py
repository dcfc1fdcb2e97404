"""Asks an OpenAI-compatible server, ours, vLLM's or a remote one, for answers as they grow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import openai

from codelutra.errors import GenerationError
from codelutra.generation.backend import GenerationRequest
from codelutra.generation.reading import first_line

CONNECT_S = 5.0
SILENT_S = 120.0  # the longest that a server may say nothing


@dataclass(frozen=True)
class Piece:
    """Further text of completion `index`; `ending` with its last one: stop or length."""

    index: int
    text: str
    ending: str | None
    num_tokens: int  # of all completions of the request so far; 0 where the server does not say


@dataclass(frozen=True)
class Scored:
    """A token of a text, and its log-probability in nats."""

    text: str
    logprob: float


class Client:
    def __init__(self, url: str, token: str) -> None:
        timeout = openai.Timeout(SILENT_S, connect=CONNECT_S)
        self.url = url
        self._client = openai.OpenAI(
            base_url=url, api_key=token or "none", max_retries=0, timeout=timeout
        )

    def models(self) -> dict[str, dict[str, Any]]:
        """By name, with whatever the server says of each."""
        try:
            return {each.id: each.model_dump() for each in self._client.models.list()}
        except openai.OpenAIError as error:
            raise GenerationError(f"{self.url}: {first_line(error)}") from error

    def is_there(self) -> bool:
        """Whether anybody listens."""
        try:
            self.models()
        except GenerationError:
            return False
        return True

    def load_adapter(self, name: str, folder: str) -> None:
        body = {"lora_name": name, "lora_path": folder}
        try:
            self._client.post("/load_lora_adapter", cast_to=str, body=body)
        except openai.OpenAIError as error:
            raise GenerationError(f"the engine cannot load it: {first_line(error)}") from error

    def stream(self, model: str, prompt: str, request: GenerationRequest) -> Iterator[Piece]:
        """Left early, the server stops. Raises GenerationError."""
        is_greedy = request.temperature == 0
        try:
            with self._client.completions.create(
                model=model,
                prompt=prompt,
                n=1 if is_greedy else request.num_samples,
                temperature=request.temperature,
                top_p=1.0 if is_greedy else request.top_p,
                max_tokens=request.max_new_tokens,
                seed=request.seed,
                stop=list(request.stop) or None,
                stream=True,
                stream_options={"include_usage": True},
            ) as stream:
                for event in stream:
                    tokens = event.usage.completion_tokens if event.usage else 0
                    for each in event.choices:
                        yield Piece(each.index, each.text, each.finish_reason, tokens)
                    if not event.choices:
                        yield Piece(0, "", None, tokens)
        except openai.OpenAIError as error:
            raise GenerationError(f"{self.url}: {first_line(error)}") from error

    def prompt_logprobs(self, model: str, prompt: str | Sequence[int]) -> list[Scored]:
        """Of every token of `prompt` but the first."""
        try:
            answer: Any = self._client.completions.create(
                model=model,
                prompt=prompt if isinstance(prompt, str) else list(prompt),
                max_tokens=1,
                temperature=0.0,
                extra_body={"prompt_logprobs": 0},
            )
        except openai.OpenAIError as error:
            raise GenerationError(f"{self.url}: {first_line(error)}") from error
        known = getattr(answer.choices[0], "prompt_logprobs", None)
        if not known:
            raise GenerationError(f"{self.url} gives no log-probabilities of a prompt")
        # The prompt's own token comes first, before a likelier one.
        firsts = [next(iter(each.values())) for each in known[1:]]
        return [Scored(str(each["decoded_token"]), float(each["logprob"])) for each in firsts]
