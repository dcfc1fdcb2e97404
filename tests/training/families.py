"""Tiny random models of the families that are refined, in float32, with the starter's tokenizer."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Starcoder2Config,
)

from codelutra.starter import MODEL_DIR

FAMILIES: dict[str, type[PreTrainedConfig]] = {
    "llama": LlamaConfig,
    "qwen2": Qwen2Config,
    "gemma": GemmaConfig,
    "starcoder2": Starcoder2Config,
    "mistral": MistralConfig,
}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def make_model(folder: Path, family: str, **changes: Any) -> str:
    """Write the model and its tokenizer to `folder`; its path."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if family == "gemma":
        special["head_dim"] = 8
    settings = {**SIZES, **special, "vocab_size": len(tokenizer), **changes}
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(FAMILIES[family](**settings)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
