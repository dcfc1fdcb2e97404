"""Sampling with transformers: runs anywhere, one prefill a prompt however many samples."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, DynamicCache, StopStringCriteria

from codelutra.config import TransformersBackend
from codelutra.errors import ModelError
from codelutra.generation.backend import TOO_LONG, Chunk, Completion, DrawnChunk, GenerationRequest
from codelutra.generation.reading import (
    Reader,
    cut_at_stop,
    first_line,
    load_tokenizer,
    window_of,
)
from codelutra.generation.roomy_cache import new_cache

NUCLEUS = 64  # tokens that hold nearly every nucleus of a model that knows its task
KEPT = 0.85  # share of rows that still go on, at which the finished ones leave


class TransformersGenerator:
    """Implements `Generator`. The adapter is merged: same policy, no LoRA cost a token."""

    def __init__(
        self,
        config: TransformersBackend,
        model: str,
        adapter: str = "",
        chat_template: str = "auto",
    ) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = load_tokenizer(model)
        try:
            policy = AutoModelForCausalLM.from_pretrained(
                model, dtype=_load_dtype(config, self.device)
            )
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot load {model}: {first_line(error)}") from error
        self.reader = Reader(self.tokenizer, chat_template, window_of(policy.config))
        if adapter:
            from peft import PeftModel

            policy = PeftModel.from_pretrained(policy, adapter).merge_and_unload()
        self.model: Any = policy.to(device=self.device, dtype=_run_dtype(config)).eval()
        self.end_tokens = torch.tensor(self._ends(), device=self.device)

    def _ends(self) -> list[int]:
        """Tokens that end a completion; a model may name several, one or none."""
        ends = self.model.generation_config.eos_token_id
        named = ends if isinstance(ends, list) else [ends]
        return sorted({end for end in (*named, self.tokenizer.eos_token_id) if end is not None})

    def generate(self, chunks: Iterable[Chunk], request: GenerationRequest) -> Iterator[DrawnChunk]:
        for chunk in chunks:
            with torch.inference_mode():
                yield chunk.number, self._draw(chunk, request)

    def token_logprobs(self, token_ids: Sequence[int]) -> list[list[float]]:
        ids = torch.tensor([token_ids], device=self.device)
        with torch.inference_mode():
            logprobs = self.model(ids).logits[0, :-1].float().log_softmax(dim=-1)
        found: list[float] = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
        return [found]

    def _draw(self, chunk: Chunk, request: GenerationRequest) -> list[list[Completion]]:
        random = self.random(request.seed + chunk.number)
        n = request.num_samples
        read = self.reader.token_ids(chunk.prompts)
        fitting = [ids for ids in read if self.reader.fits(ids, request.max_new_tokens)]
        drawn = iter(self._sample(fitting, request, random) if fitting else ())
        return [
            [next(drawn) for _ in range(n)]
            if self.reader.fits(ids, request.max_new_tokens)
            else [TOO_LONG] * n
            for ids in read
        ]

    def random(self, seed: int) -> torch.Generator:
        """Of one drawing: what else is drawn at the same time does not change it."""
        return torch.Generator(self.device).manual_seed(seed)

    def _sample(
        self, prompts: list[list[int]], request: GenerationRequest, random: torch.Generator
    ) -> Iterator[Completion]:
        """n completions of each prompt, one after the other."""
        n = request.num_samples
        decoding = Decoding(self, request, random)
        deque(decoding.steps(prompts), maxlen=0)
        for row, (new, has_ended) in enumerate(zip(decoding.new, decoding.ended, strict=True)):
            text = self.reader.completion(prompts[row // n], new)
            yield Completion(
                cut_at_stop(text, request.stop),
                len(new),
                "end" if has_ended else "length",
                float(decoding.logprobs[row].sum()) if request.logprobs else None,
            )

    def prefill(self, ids: torch.Tensor, mask: torch.Tensor) -> DynamicCache:
        """Keys and values of all but the last prompt token, once per distinct prompt."""
        cache = new_cache(self.model)
        if ids.shape[1]:
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            self.model.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache
            )
        return cache


class Decoding:
    """One batch, token by token. Finished rows leave the batch, some at a time as each leaving
    copies the cache: transformers' generate() runs every row as long as the longest one."""

    def __init__(
        self, generator: TransformersGenerator, request: GenerationRequest, random: torch.Generator
    ) -> None:
        self.generator, self.request, self.random = generator, request, random
        self.steps_done = 0
        self.logprobs = torch.zeros(0)  # (rows, steps)
        self.stopping = (
            StopStringCriteria(generator.tokenizer, list(request.stop)) if request.stop else None
        )

    def steps(self, prompts: list[list[int]]) -> Iterator[int]:
        """Yields the number of tokens that each unfinished row has; n rows a prompt."""
        n, device, limit = (
            self.request.num_samples,
            self.generator.device,
            self.request.max_new_tokens,
        )
        ids, mask = _pad_left(prompts, device)  # (prompts, length)
        cache = self.generator.prefill(ids[:, :-1], mask[:, :-1])
        cache.batch_repeat_interleave(n)
        last, mask = (each.repeat_interleave(n, dim=0) for each in (ids[:, -1:], mask))
        batch = len(last)
        rows = torch.arange(batch, device=device)  # of the batch, in the order they came
        self.tokens = torch.zeros(batch, limit, dtype=torch.long, device=device)
        self.lengths = torch.full((batch,), limit, device=device)
        self.has_ended = torch.zeros(batch, dtype=torch.bool, device=device)
        self.logprobs = torch.zeros(batch, limit if self.request.logprobs else 0, device=device)
        for step in range(limit):
            logits = self.generator.model(
                input_ids=last,
                attention_mask=mask,
                position_ids=mask.sum(dim=1, keepdim=True) - 1,
                past_key_values=cache,
                logits_to_keep=1,
            ).logits[:, -1]
            last = _next_token(logits.float(), self.request, self.random)
            self._keep(rows, step, last, logits)
            self.steps_done = step + 1
            yield self.steps_done
            going = ~self.has_ended[rows]
            if not going.any():
                return
            if going.sum() <= KEPT * len(rows):
                rows, last, mask = rows[going], last[going], mask[going]
                cache.batch_select_indices(going.nonzero()[:, 0])
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)

    def _keep(
        self, rows: torch.Tensor, step: int, last: torch.Tensor, logits: torch.Tensor
    ) -> None:
        """`last`: (rows, 1), the tokens of this step; `logits`: (rows, vocabulary)."""
        self.tokens[rows, step] = last[:, 0]
        if self.request.logprobs:
            picked = logits.float().log_softmax(dim=-1).gather(1, last)[:, 0]
            self.logprobs[rows, step] = torch.where(self.has_ended[rows], 0.0, picked)
        ends = torch.isin(last[:, 0], self.generator.end_tokens)
        if self.stopping:
            ends |= self.stopping(self.tokens[rows, : step + 1], None)
        new = rows[ends & ~self.has_ended[rows]]
        self.has_ended[new], self.lengths[new] = True, step + 1

    @property
    def ended(self) -> list[bool]:
        ended: list[bool] = self.has_ended.tolist()
        return ended

    @property
    def new(self) -> list[list[int]]:
        """The tokens of each row, when all are drawn."""
        lengths = self.lengths.tolist()
        return [row[:end] for row, end in zip(self.tokens.tolist(), lengths, strict=True)]


def _pad_left(prompts: list[list[int]], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, each (prompts, length); what stands in the padding is never read."""
    length = max(map(len, prompts))
    ids = [[0] * (length - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _next_token(
    logits: torch.Tensor, request: GenerationRequest, random: torch.Generator
) -> torch.Tensor:
    """(batch, vocabulary) -> (batch, 1): the likeliest token, or one drawn from the nucleus."""
    if request.temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    probs = (logits / request.temperature).softmax(dim=-1)
    if request.top_p == 1:
        return torch.multinomial(probs, 1, generator=random)
    return draw_from_nucleus(probs, request.top_p, random)


def draw_from_nucleus(
    probs: torch.Tensor, top_p: float, random: torch.Generator | None = None
) -> torch.Tensor:
    """(batch, vocabulary) -> (batch, 1), drawn from the fewest likeliest tokens of mass `top_p`.

    By inverse transform: one random number a row, and no sort of the vocabulary where few suffice.
    """
    for size in (NUCLEUS, probs.shape[-1]):
        likeliest, tokens = probs.topk(min(size, probs.shape[-1]), dim=-1)  # (batch, size)
        cumulative = likeliest.cumsum(dim=-1)
        if (cumulative[:, -1] >= top_p).all():
            break
    # A token belongs to it when those before it do not make up the mass, as in TopPLogitsWarper.
    is_in = cumulative - likeliest < top_p
    mass = cumulative.where(is_in, 0).amax(dim=-1, keepdim=True)
    drawn = torch.rand_like(mass, generator=random) * mass  # in [0, mass), but for rounding
    last = is_in.sum(dim=-1, keepdim=True) - 1
    place = torch.searchsorted(cumulative, drawn, right=True).minimum(last)
    return tokens.gather(1, place)


def _load_dtype(config: TransformersBackend, device: str) -> torch.dtype:
    # On a CPU the adapter is merged in full precision before rounding once.
    return _run_dtype(config) if device == "cuda" else torch.float32


def _run_dtype(config: TransformersBackend) -> torch.dtype:
    if config.dtype != "auto":
        return {"bfloat16": torch.bfloat16, "float32": torch.float32}[config.dtype]
    return torch.bfloat16 if has_fast_bfloat16() else torch.float32


def has_fast_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 here: a GPU, or a CPU with the instructions."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
