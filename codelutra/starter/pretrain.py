"""Pretrain the starter model from scratch on programs generated on the fly.

    python -m codelutra.starter.pretrain --out codelutra/starter/model --minutes 9 --seed 0

Two CPU cores are enough; the schedule follows the clock, so a slower machine
sees fewer examples and gives a weaker model.
"""

import argparse
import math
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from codelutra.starter.corpus import examples
from codelutra.starter.tokenizer import build_tokenizer

BATCH = 48
POOL = 32  # batches drawn together and cut by length, so that little is padded
MUON_LR = 0.02
ADAM_LR = 3e-3
EMBEDDING_STD = 0.05
WARMUP = 0.04  # share of the run
PROMPT_WEIGHT = 0.1  # weight of a prompt token in the loss; a program token weighs 1


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A small Llama with random weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    # Eager attention is the fastest for rows this short.
    model = LlamaForCausalLM._from_config(config, attn_implementation="eager")
    prepare_copying(model, tokenizer)
    return model


def prepare_copying(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Start from weights that copy: names travel unchanged from prompt to program.

    Attention starts by passing on what it looks at, so that training only has
    to find out where to look; a word with a space in front starts as the word
    plus one direction shared by all, so that either form gives the other.
    """
    embedding = model.model.embed_tokens.weight.data
    embedding.normal_(std=EMBEDDING_STD)
    space = torch.randn(embedding.shape[1]) * EMBEDDING_STD
    vocabulary = tokenizer.get_vocab()
    for token, index in vocabulary.items():
        if token.startswith("Ġ") and token[1:] in vocabulary:
            embedding[index] = embedding[vocabulary[token[1:]]] + space
    for layer in model.model.layers:
        attention = layer.self_attn
        torch.nn.init.eye_(attention.v_proj.weight)
        torch.nn.init.eye_(attention.o_proj.weight).data.mul_(EMBEDDING_STD)


def batches(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and loss weights, both (batch, seq), padded on the right."""
    stream = examples(seed)
    order = random.Random(seed)
    while True:
        drawn = list(islice(stream, BATCH * POOL))
        prompts = tokenizer([e.prompt for e in drawn])["input_ids"]
        programs = tokenizer([e.completion for e in drawn])["input_ids"]
        rows = sorted(
            zip(prompts, programs, strict=True), key=lambda row: len(row[0]) + len(row[1])
        )
        starts = list(range(0, len(rows), BATCH))
        order.shuffle(starts)
        for start in starts:
            yield _pad(rows[start : start + BATCH], tokenizer)


def _pad(
    rows: list[tuple[list[int], list[int]]], tokenizer: PreTrainedTokenizerFast
) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(prompt) + len(program) + 1 for prompt, program in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    weights = torch.zeros(len(rows), longest)
    for i, (prompt, program) in enumerate(rows):
        end = len(prompt) + len(program) + 1
        ids[i, :end] = torch.tensor([*prompt, *program, tokenizer.eos_token_id])
        weights[i, : len(prompt)] = PROMPT_WEIGHT
        weights[i, len(prompt) : end] = 1.0
    return ids, weights


def weighted_loss(
    model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Mean next-token loss; padding on the right needs no mask under causal attention."""
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    losses = cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


class Masters:
    """Steps fp32 copies of the weights, since the model itself computes in bf16.

    Muon for the matrices inside the layers, AdamW for the embedding and the norms.
    """

    def __init__(self, model: LlamaForCausalLM) -> None:
        self._pairs = [(p, p.detach().float().requires_grad_()) for p in model.parameters()]
        model.to(torch.bfloat16)
        matrices = [
            m for p, m in self._pairs if m.ndim == 2 and p is not model.model.embed_tokens.weight
        ]
        others = [m for p, m in self._pairs if m.ndim != 2 or p is model.model.embed_tokens.weight]
        self._optimizers = [
            (MUON_LR, torch.optim.Muon(matrices, lr=MUON_LR, weight_decay=0.01)),
            (ADAM_LR, torch.optim.AdamW(others, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0)),
        ]

    def step(self, scale: float) -> None:
        """One update from the model's gradients, with the peak rates times `scale`."""
        for weight, master in self._pairs:
            assert weight.grad is not None, "every weight takes part in the loss"
            master.grad = weight.grad.float()
            weight.grad = None
        torch.nn.utils.clip_grad_norm_([m for _, m in self._pairs], 1.0)
        for peak, optimizer in self._optimizers:
            optimizer.param_groups[0]["lr"] = peak * scale
            optimizer.step()
        for weight, master in self._pairs:
            weight.data.copy_(master.data)


def rate_scale(progress: float) -> float:
    """Linear warm-up, then a cosine down to a fiftieth of the peak; `progress` in 0..1."""
    if progress < WARMUP:
        return (progress + 1e-3) / WARMUP
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def pretrain(minutes: float, seed: int) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Train for a number of minutes and return the model and its tokenizer."""
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    tokenizer = build_tokenizer()
    model = new_model(tokenizer)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens")
    masters = Masters(model)
    started = time.monotonic()
    for step, (ids, weights) in enumerate(batches(tokenizer, seed)):
        progress = (time.monotonic() - started) / (60 * minutes)
        if progress >= 1:
            break
        loss = weighted_loss(model, ids, weights)
        loss.backward()
        masters.step(rate_scale(progress))
        if step % 50 == 0:
            print(f"step {step:5d}  {progress:4.0%}  loss {loss.item():.4f}", flush=True)
    return model, tokenizer


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write weights in bf16, the tokenizer and the generation defaults."""
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, max_new_tokens=80
    )
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--minutes", type=float, default=9.0, help="wall-clock minutes of training")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and corpus")
    arguments = parser.parse_args()
    save(*pretrain(arguments.minutes, arguments.seed), arguments.out)


if __name__ == "__main__":
    main()
