"""The model that is trained: a base, in full precision or 4 bits, and its LoRA."""

from typing import Any

import torch
from peft import LoraConfig, PeftModel, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from codelutra.config import TrainingConfig
from codelutra.errors import TrainingError
from codelutra.generation.transformers_backend import has_fast_bfloat16


def is_bfloat16(config: TrainingConfig) -> bool:
    if config.precision == "auto":
        return has_fast_bfloat16()
    return config.precision == "bfloat16"


def load_policy(model: str, parent: str, config: TrainingConfig) -> Any:
    """The base model, or the parent's adapter on it, trainable; TRL keeps a frozen copy of it."""
    has_gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if has_gpu and is_bfloat16(config) else torch.float32
    options: dict[str, Any] = {"dtype": dtype}
    if config.load_in_4bit:
        options["quantization_config"] = _four_bit(dtype)
    base = AutoModelForCausalLM.from_pretrained(model, **options)
    if config.load_in_4bit:
        base = prepare_model_for_kbit_training(base)
    return PeftModel.from_pretrained(base, parent, is_trainable=True) if parent else base


def _four_bit(dtype: torch.dtype) -> BitsAndBytesConfig:
    """NF4 with double quantisation (QLoRA, arXiv 2305.14314)."""
    if not torch.cuda.is_available():
        raise TrainingError("training.load_in_4bit needs an NVIDIA GPU: switch it off here")
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise TrainingError(
            "training.load_in_4bit needs bitsandbytes: pip install bitsandbytes"
        ) from None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def lora_config(config: TrainingConfig) -> LoraConfig:
    targets = config.lora_targets
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        target_modules=targets if targets == "all-linear" else targets.replace(" ", "").split(","),
        task_type="CAUSAL_LM",
    )
