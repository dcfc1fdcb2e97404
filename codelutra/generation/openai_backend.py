"""Sampling from any OpenAI-compatible server, or several in turn: vLLM on another machine.

Prompts go to /v1/completions as text, chat template included: every backend reads the same.
An iteration's adapter is loaded through vLLM's runtime LoRA endpoint, under a name from its hash.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import openai

from codelutra.adapters import WEIGHTS
from codelutra.config import OpenAIBackend
from codelutra.errors import GenerationError
from codelutra.generation.api_key import KEY_VARIABLES, api_key
from codelutra.generation.backend import (
    TOO_LONG,
    Chunk,
    Completion,
    DrawnChunk,
    GenerationRequest,
)
from codelutra.generation.reading import Reader, first_line, load_tokenizer
from codelutra.models import file_sha256

NO_SERVER = "no server is named: set generation.base_urls, e.g. to http://gpu-box:8000/v1"
CHECK_S = 5.0
HOW_TO_LOAD = (
    "start it as `VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve MODEL --enable-lora "
    "--max-lora-rank RANK`, where this run's folder can be read"
)


class OpenAIGenerator:
    """Implements `Generator`. A server that fails after all retries is left to the others."""

    def __init__(
        self,
        config: OpenAIBackend,
        model: str,
        adapter: str = "",
        chat_template: str = "auto",
        key: str = "",
    ) -> None:
        if not config.base_urls:
            raise GenerationError(NO_SERVER)
        self.config = config
        self.servers = [_Server(url, config, model, key or api_key()) for url in config.base_urls]
        window = min((s.window for s in self.servers if s.window), default=None)
        self.reader = Reader(load_tokenizer(model), chat_template, window)
        if adapter:
            for server in self.servers:
                server.load_adapter(adapter)

    def generate(self, chunks: Iterable[Chunk], request: GenerationRequest) -> Iterator[DrawnChunk]:
        """Prompts go to the servers in turn; a chunk is yielded with the last of its prompts."""
        turns = itertools.cycle(range(len(self.servers)))
        drawn: dict[int, list[list[Completion]]] = {}
        left: dict[int, int] = {}
        place: dict[Future[list[Completion]], tuple[int, int]] = {}
        with ThreadPoolExecutor(self.config.concurrency * len(self.servers)) as threads:
            try:
                for chunk in chunks:
                    drawn[chunk.number] = [[TOO_LONG] * request.num_samples for _ in chunk.prompts]
                    left[chunk.number] = 0
                    for position, ids in enumerate(self.reader.token_ids(chunk.prompts)):
                        if self.reader.fits(ids, request.max_new_tokens):
                            seed = request.seed + chunk.number + 1_000_003 * position
                            prompt = self.reader.text(chunk.prompts[position])
                            future = threads.submit(
                                self._complete, prompt, request, seed, next(turns)
                            )
                            place[future] = chunk.number, position
                            left[chunk.number] += 1
                yield from ((n, drawn.pop(n)) for n in list(left) if not left[n])
                for future in as_completed(place):
                    number, position = place[future]
                    drawn[number][position] = future.result()
                    left[number] -= 1
                    if not left[number]:
                        yield number, drawn.pop(number)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _complete(
        self, prompt: str, request: GenerationRequest, seed: int, turn: int
    ) -> list[Completion]:
        """Of the server whose turn it is, else of the next one that answers."""
        failures = []
        for offset in range(len(self.servers)):
            server = self.servers[(turn + offset) % len(self.servers)]
            try:
                return server.complete(prompt, request, seed)
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                failures.append(server.explain(error))
        raise GenerationError("; ".join(failures))

    def token_logprobs(self, token_ids: Sequence[int]) -> list[list[float]]:
        return [server.token_logprobs(token_ids) for server in self.servers]


def check_servers(config: OpenAIBackend, model: str, needs_adapters: bool) -> None:
    """Raise GenerationError when a server is not there, or cannot do what a run needs of it."""
    if not config.base_urls:
        raise GenerationError(NO_SERVER)
    quick = config.model_copy(update={"max_retries": 0, "timeout_s": CHECK_S})
    for url in config.base_urls:
        server = _Server(url, quick, model, api_key())
        if needs_adapters and not server.can_load_adapters():
            raise GenerationError(
                f"{url} cannot load adapters, and only the refined policy may answer after an "
                f"iteration: {HOW_TO_LOAD}"
            )


class _Server:
    def __init__(self, url: str, config: OpenAIBackend, model: str, key: str) -> None:
        self.url = url
        self.client = openai.OpenAI(
            api_key=key or "none",
            base_url=url,
            timeout=config.timeout_s,
            max_retries=config.max_retries,
        )
        wanted = config.model or model
        try:
            served = {each.id: each for each in self.client.models.list()}
        except openai.OpenAIError as error:
            raise GenerationError(self.explain(error)) from error
        if wanted not in served:
            raise GenerationError(
                f"{url} does not serve {wanted}: set generation.model to one of "
                f"{', '.join(sorted(served)) or 'its models'}"
            )
        self.model = wanted
        self.window: int | None = getattr(served[wanted], "max_model_len", None)
        self.served = served

    def load_adapter(self, adapter: str) -> None:
        """A name is never used for another adapter: it is the hash of the weights."""
        name = "codelutra-" + file_sha256(Path(adapter) / WEIGHTS)
        if name not in self.served:
            try:
                self._load(name, str(Path(adapter).resolve()))
            except openai.OpenAIError as error:
                raise GenerationError(
                    f"{self.url} cannot load this iteration's adapter, and its base must not "
                    f"answer in its place ({first_line(error)}): {HOW_TO_LOAD}"
                ) from error
        self.model = name

    def can_load_adapters(self) -> bool:
        """Found by naming one that does not exist: who can load them says so of the adapter."""
        try:
            self._load("codelutra-check", "/no/such/adapter")
        except openai.APIStatusError as error:
            return "adapter" in str(error).lower()
        except openai.APIConnectionError as error:
            raise GenerationError(self.explain(error)) from error
        return True

    def _load(self, name: str, path: str) -> None:
        body = {"lora_name": name, "lora_path": path}
        self.client.with_options(max_retries=0).post("/load_lora_adapter", cast_to=str, body=body)

    def complete(self, prompt: str, request: GenerationRequest, seed: int) -> list[Completion]:
        greedy = request.temperature == 0
        n = 1 if greedy else request.num_samples
        answer = self.client.completions.create(
            model=self.model,
            prompt=prompt,
            n=n,
            temperature=request.temperature,
            top_p=1.0 if greedy else request.top_p,
            max_tokens=request.max_new_tokens,
            seed=seed,
            stop=list(request.stop) or None,
            logprobs=0 if request.logprobs else None,
        )
        choices = sorted(answer.choices, key=lambda each: each.index)
        if len(choices) != n:
            raise GenerationError(f"{self.url} gave {len(choices)} completions instead of {n}")
        tokens = answer.usage.completion_tokens if answer.usage else 0
        drawn = [
            Completion(
                each.text,
                tokens // n,
                "end" if each.finish_reason == "stop" else "length",
                sum(each.logprobs.token_logprobs or ()) if each.logprobs else None,
            )
            for each in choices
        ]
        return drawn * (request.num_samples // n)

    def token_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        answer: Any = self.client.completions.create(
            model=self.model,
            prompt=list(token_ids),
            max_tokens=1,
            temperature=0.0,
            extra_body={"prompt_logprobs": 0},
        )
        known = getattr(answer.choices[0], "prompt_logprobs", None)
        if not known:
            raise GenerationError(f"{self.url} gives no prompt_logprobs, which prove the adapter")
        scored = zip(token_ids[1:], known[1:], strict=True)
        return [float(each[str(token)]["logprob"]) for token, each in scored]

    def explain(self, error: Exception) -> str:
        if isinstance(error, openai.APIConnectionError):
            return f"{self.url} does not answer: start the server, or mend generation.base_urls"
        if isinstance(error, openai.AuthenticationError):
            return f"{self.url} wants a key: set {KEY_VARIABLES[0]}"
        return f"{self.url}: {first_line(error)}"
