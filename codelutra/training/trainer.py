"""The child side of training: a job in, one message a step out, the adapter on disk."""

from collections.abc import Callable
from math import dist
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, TrainerCallback
from trl import DPOConfig

from codelutra.adapters import json_sha256
from codelutra.chat import model_prompt
from codelutra.config import TrainingConfig
from codelutra.probe import MAX_TOKENS, Probe, write_probe
from codelutra.training.checkpoints import Checkpoints, last_sealed
from codelutra.training.dual_loss import loss_terms
from codelutra.training.dual_trainer import DualTrainer
from codelutra.training.policy import is_bfloat16, load_policy, lora_config

Send = Callable[[dict[str, Any]], None]
PROBES = 16  # texts, of which the one that changed most is kept
PAIR_FIELDS = ("task_id", "prompt", "chosen", "rejected")


def train(job: dict[str, Any], send: Send) -> None:
    """Train on job["pairs"] and write the adapter to job["out"]; one message a logged step.

    The first message holds what became of the pairs, as `TrainingFacts` has it.
    """
    config = TrainingConfig.model_validate(job["training"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    pairs = job["pairs"]
    if job["chat_template"] == "auto":
        pairs = [{**pair, "prompt": model_prompt(tokenizer, pair["prompt"])} for pair in pairs]
    job_sha256 = json_sha256({name: job[name] for name in job if name not in ("out", "work")})
    trainer = DualTrainer(
        config,
        trl_arguments(config, job),
        model=load_policy(job["model"], job["parent"], config),
        pairs=[{name: pair[name] for name in PAIR_FIELDS} for pair in pairs],
        tokenizer=tokenizer,
        lora=None if job["parent"] else lora_config(config),
        in_order=job["in_order"],
        callbacks=[_StepReporter(send), Checkpoints(job_sha256, config.checkpoint_s)],
    )
    send({"facts": trainer.facts})
    policy = trainer.model.get_base_model()  # with the adapter in its layers
    texts = probe_texts(tokenizer, pairs, config)
    before = [token_logprobs(policy, text) for text in texts]
    resumed = last_sealed(Path(job["work"]), job_sha256)
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if trainer.is_world_process_zero():
        trainer.model.save_pretrained(job["out"], selected_adapters=["default"])
        after = [token_logprobs(policy, text) for text in texts]
        moved = [dist(old, new) for old, new in zip(before, after, strict=True)]
        best = moved.index(max(moved))
        with trainer.model.disable_adapter():
            base = token_logprobs(policy, texts[best])
        write_probe(Path(job["out"]), Probe(texts[best], base, before[best], after[best]))


def probe_texts(
    tokenizer: Any, pairs: list[dict[str, Any]], config: TrainingConfig
) -> list[list[int]]:
    """Candidates for the adapter's probe, as token ids: the ends of prompts with the program that
    training moves furthest, which in DPO is the rejected one."""
    moved = "chosen" if config.mode == "sft" else "rejected"
    first = {pair["task_id"]: pair for pair in reversed(pairs)}  # one of each task
    texts = [pair["prompt"] + pair[moved] for pair in list(first.values())[:PROBES]]
    return [[int(token) for token in ids[-MAX_TOKENS:]] for ids in tokenizer(texts)["input_ids"]]


def token_logprobs(model: Any, token_ids: list[int]) -> list[float]:
    """Log-probability of each token but the first, in nats, without dropout."""
    was_training = model.training
    model.eval()
    ids = torch.tensor([token_ids], device=model.device)
    with torch.no_grad():
        logprobs = model(input_ids=ids).logits[0, :-1].float().log_softmax(dim=-1)
    model.train(was_training)
    found: list[float] = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
    return found


def trl_arguments(config: TrainingConfig, job: dict[str, Any]) -> DPOConfig:
    names, weights = loss_terms(config)
    has_gpu = torch.cuda.is_available()
    return DPOConfig(
        output_dir=job["work"],
        loss_type=names,
        loss_weights=weights,
        beta=config.beta,
        learning_rate=config.learning_rate,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=1,  # one step, see DualTrainer._collate
        max_length=None,  # longer pairs were dropped: nothing is truncated in silence
        seed=job["seed"],
        bf16=is_bfloat16(config),
        use_cpu=not has_gpu,
        gradient_checkpointing={"auto": has_gpu, "on": True, "off": False}[
            config.gradient_checkpointing
        ],
        warmup_steps=0.05,
        logging_steps=1,
        save_strategy="no",  # see Checkpoints
        save_total_limit=2,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
    )


class _StepReporter(TrainerCallback):  # type: ignore[misc]
    """Sends every optimiser step with TRL's own metric names."""

    def __init__(self, send: Send) -> None:
        self.send = send

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        if "loss" in metrics:  # the last log holds run times only
            self.send({"step": state.global_step, "steps": state.max_steps, "metrics": metrics})
