"""Sampling with transformers: runs anywhere, one prefill a prompt however many samples."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    TopPLogitsWarper,
)

from codelutra.chat import model_prompt
from codelutra.config import TransformersBackend
from codelutra.errors import ModelError
from codelutra.generation.backend import GenerationRequest


class TransformersGenerator:
    """Implements `Generator`. The adapter is merged: same policy, no LoRA cost a token."""

    def __init__(
        self, config: TransformersBackend, model: str, adapter: str, chat_template: str = "auto"
    ) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
            policy = AutoModelForCausalLM.from_pretrained(model, dtype=_load_dtype(self.device))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"cannot load {model}: {str(error).strip().splitlines()[0]}"
            ) from error
        self.is_chat = chat_template == "auto"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if adapter:
            from peft import PeftModel

            policy = PeftModel.from_pretrained(policy, adapter).merge_and_unload()
        self.model: Any = policy.to(device=self.device, dtype=_run_dtype(config)).eval()
        self.end_tokens = torch.tensor(self._ends(), device=self.device)

    def _ends(self) -> list[int]:
        """Tokens that end a completion; a model may name several, one or none."""
        ends = self.model.generation_config.eos_token_id
        if ends is None:
            ends = self.tokenizer.eos_token_id
        return ends if isinstance(ends, list) else [] if ends is None else [ends]

    def generate(self, prompts: Sequence[str], request: GenerationRequest) -> list[list[str]]:
        with torch.inference_mode():
            return self._generate(prompts, request)

    def _generate(self, prompts: Sequence[str], request: GenerationRequest) -> list[list[str]]:
        torch.manual_seed(request.seed)
        n = request.num_samples
        read = [model_prompt(self.tokenizer, p) if self.is_chat else p for p in prompts]
        encoded = self.tokenizer(read, return_tensors="pt", padding=True).to(self.device)
        ids, mask = encoded["input_ids"], encoded["attention_mask"]  # (prompts, length)
        cache = self._prefill(ids[:, :-1], mask[:, :-1])
        cache.batch_repeat_interleave(n)
        last = ids[:, -1:].repeat_interleave(n, dim=0)
        new = self._decode(last, mask.repeat_interleave(n, dim=0), cache, request)
        texts = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [texts[start : start + n] for start in range(0, len(texts), n)]

    def _prefill(self, ids: torch.Tensor, mask: torch.Tensor) -> DynamicCache:
        """Keys and values of all but the last prompt token, once per distinct prompt."""
        cache = DynamicCache(config=self.model.config)
        if ids.shape[1]:
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            self.model.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache
            )
        return cache

    def _decode(
        self,
        last: torch.Tensor,  # (batch, 1), the last prompt token
        mask: torch.Tensor,  # (batch, prompt length)
        cache: DynamicCache,
        request: GenerationRequest,
    ) -> torch.Tensor:
        """New tokens, (batch, max_new_tokens), padded. A finished row leaves the batch at once:
        transformers' generate() runs every row as long as the longest one."""
        new = torch.full((len(last), request.max_new_tokens), self.tokenizer.pad_token_id)
        rows = torch.arange(len(last), device=self.device)  # where in `new` each one belongs
        for step in range(request.max_new_tokens):
            logits = self.model(
                input_ids=last,
                attention_mask=mask,
                position_ids=mask.sum(dim=1, keepdim=True) - 1,
                past_key_values=cache,
                logits_to_keep=1,
            ).logits[:, -1]
            last = _next_token(logits.float(), request)
            new[rows.cpu(), step] = last[:, 0].cpu()
            going = ~torch.isin(last[:, 0], self.end_tokens)
            if not going.any():
                break
            if not going.all():
                rows, last, mask = rows[going], last[going], mask[going]
                cache.batch_select_indices(going.nonzero()[:, 0])
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        return new


def _next_token(logits: torch.Tensor, request: GenerationRequest) -> torch.Tensor:
    """(batch, vocabulary) -> (batch, 1): the likeliest token, or one drawn from the nucleus."""
    if request.temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    logits = logits / request.temperature
    if request.top_p < 1:
        logits = TopPLogitsWarper(request.top_p)(None, logits)
    return torch.multinomial(logits.softmax(dim=-1), 1)


def _load_dtype(device: str) -> torch.dtype:
    # On a CPU the adapter is merged in full precision before rounding once.
    return torch.bfloat16 if device == "cuda" else torch.float32


def _run_dtype(config: TransformersBackend) -> torch.dtype:
    if config.dtype != "auto":
        return {"bfloat16": torch.bfloat16, "float32": torch.float32}[config.dtype]
    return torch.bfloat16 if has_fast_bfloat16() else torch.float32


def has_fast_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 here: a GPU, or a CPU with the instructions."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
