"""The child side of training: TRL's DPOTrainer with the dual loss over a LoRA adapter.

L = L_DPO(chosen, rejected; reference) + sft_weight * NLL(chosen), CodeLutra eq. 6. TRL's `sft`
term is the mean over the batch's chosen tokens, not Iterative RPO's per-sequence mean.
"""

from collections.abc import Callable
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer

from codelutra.chat import model_prompt
from codelutra.config import TrainingConfig
from codelutra.errors import TrainingError
from codelutra.generation.transformers_backend import has_fast_bfloat16

Send = Callable[[dict[str, Any]], None]


def train(job: dict[str, Any], send: Send) -> None:
    """Train on job["pairs"] and write the adapter to job["out"]; one message a logged step."""
    config = TrainingConfig.model_validate(job["training"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    pairs = job["pairs"]
    if job["chat_template"] == "auto":
        pairs = [{**pair, "prompt": model_prompt(tokenizer, pair["prompt"])} for pair in pairs]
    pairs = _fitting(pairs, tokenizer, config.max_length)
    send({"dropped": len(job["pairs"]) - len(pairs)})
    if not pairs:
        raise TrainingError(f"every pair is longer than {config.max_length} tokens")
    trainer = DPOTrainer(
        model=_policy(job["model"], job["parent"]),
        args=_arguments(config, job),
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
        peft_config=None if job["parent"] else _lora(config),
        callbacks=[_StepReporter(send)],
    )
    if config.reference == "base":
        _zero_reference(trainer.model)
    trainer.train()
    trainer.model.save_pretrained(job["out"], selected_adapters=["default"])


def loss_terms(config: TrainingConfig) -> tuple[list[str], list[float]]:
    """TRL's loss names and weights for a mode."""
    return {
        "dual": (["sigmoid", "sft"], [1.0, config.sft_weight]),
        "dpo": (["sigmoid"], [1.0]),
        "sft": (["sft"], [1.0]),
    }[config.mode]


def _arguments(config: TrainingConfig, job: dict[str, Any]) -> DPOConfig:
    names, weights = loss_terms(config)
    return DPOConfig(
        output_dir=job["out"],
        loss_type=names,
        loss_weights=weights,
        beta=config.beta,
        learning_rate=config.learning_rate,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        max_length=None,  # longer pairs were dropped: nothing is truncated in silence
        seed=job["seed"],
        bf16=has_fast_bfloat16(),
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=torch.cuda.is_available(),
        warmup_steps=0.05,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def _policy(model: str, parent: str) -> Any:
    """The base model, or the parent's adapter on it, trainable; TRL keeps a frozen copy of it."""
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    return PeftModel.from_pretrained(base, parent, is_trainable=True) if parent else base


def _lora(config: TrainingConfig) -> LoraConfig:
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _zero_reference(model: Any) -> None:
    """Make TRL's frozen copy of the parent the base model: a LoRA with B = 0 adds nothing."""
    for name, weight in model.named_parameters():
        if ".ref." in name and "lora_B" in name:
            weight.data.zero_()


def _fitting(pairs: list[dict[str, Any]], tokenizer: Any, max_length: int) -> list[dict[str, Any]]:
    """The prompt, chosen and rejected of the pairs whose two sides fit `max_length` tokens."""

    def length(text: str) -> int:
        return len(tokenizer(text)["input_ids"]) + 1  # and the end token

    return [
        {"prompt": p["prompt"], "chosen": p["chosen"], "rejected": p["rejected"]}
        for p in pairs
        if max(length(p["prompt"] + p[side]) for side in ("chosen", "rejected")) <= max_length
    ]


class _StepReporter(TrainerCallback):  # type: ignore[misc]
    """Sends every optimiser step with TRL's own metric names."""

    def __init__(self, send: Send) -> None:
        self.send = send

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        if "loss" in metrics:  # the last log holds run times only
            self.send({"step": state.global_step, "steps": state.max_steps, "metrics": metrics})
