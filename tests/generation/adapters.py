"""LoRA adapters of the starter that answer otherwise than it, without any training."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from codelutra.adapters import place
from codelutra.probe import Probe, write_probe
from codelutra.records import Adapter
from codelutra.starter import MODEL_DIR
from codelutra.training.trainer import token_logprobs

TEXT = list(range(5, 45))


def make_adapter(folder: Path, *, seed: int = 0, rank: int = 8, size: float = 0.02) -> Adapter:
    """Random weights of standard deviation `size` in the second factor, and their probe."""
    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32)
    before = token_logprobs(base, TEXT)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    policy = get_peft_model(base, config)
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=size)
    partial = folder.with_suffix(".partial")
    policy.save_pretrained(partial)
    write_probe(partial, Probe(TEXT, before, before, token_logprobs(policy, TEXT)))
    return place(
        partial, folder, base_model="starter", base_revision="", reference="base", parent=""
    )
