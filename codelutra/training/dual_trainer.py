"""TRL's DPOTrainer on batches of whole tasks, each task's shared prefixes run once."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from peft import LoraConfig
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from codelutra.config import TrainingConfig
from codelutra.errors import TrainingError
from codelutra.training import batching
from codelutra.training.dual_loss import LogProbs, dpo_term, loss_terms, sft_term
from codelutra.training.exactness import why_different, why_inexact
from codelutra.training.prefix_tree import PrefixSharing

Batch = dict[str, Any]
TERM_NAMES = {"sigmoid": "loss/dpo", "sft": "loss/sft"}


class DualTrainer(DPOTrainer):  # type: ignore[misc]
    """TRL's loss, metrics and optimiser; ours are the batches and the forward pass.

    A batch holds whole tasks, so that the completions of a task are run behind one copy of its
    prompt and once for all their pairs; the reference's log-probabilities are computed once.
    """

    def __init__(
        self,
        config: TrainingConfig,
        arguments: DPOConfig,
        *,
        model: Any,
        pairs: Sequence[dict[str, str]],
        tokenizer: Any,
        lora: LoraConfig | None,
        in_order: bool = False,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.train_dataset: Any
        self.data_collator: Any
        self.loss_weights: Any
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(list(pairs)),  # tokenised by TRL
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=list(callbacks),
        )
        if config.reference == "base":
            _zero_reference(self.model)
        self.config = config
        self.in_order = in_order
        tokenised = list(self.train_dataset)
        rows = [row for row in tokenised if batching.fits(row, config.max_length)]
        if not rows:
            raise TrainingError(f"every pair is longer than {config.max_length} tokens")
        each = -(-config.batch_size // self.accelerator.num_processes)
        self.train_dataset = batching.steps(rows, each, arguments.seed, in_order)
        self.plain_collator = self.data_collator
        self.data_collator = self._collate
        self.sharing = PrefixSharing(self.model.get_base_model())
        fallback = "switched off" if config.share_prefixes == "never" else self._why_not_shared()
        self.sharing.is_on = not fallback
        self._add_reference()
        self.facts = {
            "num_pairs": len(rows),
            "num_dropped": len(tokenised) - len(rows),
            "stock_tokens": sum(gather_object([self.sharing.stock_tokens])),
            "run_tokens": sum(gather_object([self.sharing.run_tokens])),
            "fallback": fallback,
        }
        self.model.register_forward_hook(self._keep_log_probs)

    def training_step(self, model: Any, inputs: Batch, *_: Any, **__: Any) -> torch.Tensor:
        """One optimiser step, in parts: each term is weighted by the part's share of its mean."""
        self._step_started = monotonic()
        self._tokens_before = self.sharing.run_tokens
        weights = loss_terms(self.config)[1]
        before = {name: len(values) for name, values in self._metrics["train"].items()}
        losses = []
        for part in inputs["parts"]:
            of_pairs, of_tokens = part.pop("pairs_share"), part.pop("tokens_share")
            shares = {"sigmoid": of_pairs, "sft": of_tokens}
            self.loss_weights = [
                weight * shares[name] for name, weight in zip(self.loss_types, weights, strict=True)
            ]
            losses.append(super().training_step(model, part))
        self._average_metrics(before, inputs["weights"])
        return torch.stack(losses).sum()

    def compute_loss(self, model: Any, inputs: Batch, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        self._report_terms(inputs)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            run = self.sharing.run_tokens - self._tokens_before
            logs["tokens_per_second"] = run / (monotonic() - self._step_started)
        super().log(logs, start_time)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.in_order:
            return torch.utils.data.SequentialSampler(self.train_dataset)
        return super()._get_train_sampler(train_dataset)

    def _collate(self, step: list[list[batching.Row]]) -> Batch:
        """A step's batches, with the share of its pairs and chosen tokens that each has."""
        (rows,) = step  # the Trainer's batch size is one step
        cut = batching.parts(rows, self.config.max_tokens, self.sharing.is_on)
        tokens = [sum(len(row["chosen_ids"]) for row in part) for part in cut]
        batches = []
        for part, of_chosen in zip(cut, tokens, strict=True):
            batch = self.plain_collator(part)
            batch["pairs_share"] = len(part) / len(rows)
            batch["tokens_share"] = of_chosen / sum(tokens)
            batches.append(batch)
        return {"parts": batches, "weights": [batch["pairs_share"] for batch in batches]}

    def _average_metrics(self, before: dict[str, int], weights: list[float]) -> None:
        """One value a step: TRL appends one a part, which it would weigh alike."""
        for name, values in self._metrics["train"].items():
            new = values[before.get(name, 0) :]
            if len(new) == len(weights):
                mean = sum(value * weight for value, weight in zip(new, weights, strict=True))
                values[before.get(name, 0) :] = [mean]

    def _keep_log_probs(self, _model: Any, _inputs: Any, output: Any) -> None:
        self._log_probs = output.log_probs.detach()  # (2 * pairs, length - 1)

    def _report_terms(self, inputs: Batch) -> None:
        chosen, rejected = self._log_probs.sum(dim=1).chunk(2)
        logps = LogProbs(chosen, rejected, inputs["ref_chosen_logps"], inputs["ref_rejected_logps"])
        mask, _ = inputs["completion_mask"].chunk(2)
        terms = {"sigmoid": dpo_term(logps, self.beta), "sft": sft_term(logps, int(mask.sum()))}
        for name, value in terms.items():
            if name in self.loss_types:
                mean = self.accelerator.gather(value.reshape(1)).mean().item()
                self._metrics["train"][TERM_NAMES[name]].append(mean)

    def _why_not_shared(self) -> str:
        rows = [row for step in self.train_dataset for row in step]
        longest = max(
            len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
            for row in rows
        )
        model = self.model.get_base_model()
        if reason := why_inexact(model, self.aux_loss_enabled, longest):
            return reason
        batch = self._prepare_inputs(self.plain_collator(self.train_dataset[0][:2]))
        plain, shared = (self._trial(batch, is_on) for is_on in (False, True))
        return why_different(plain, shared, self._dtype)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.args.bf16 else torch.float32

    def _trial(self, batch: Batch, is_on: bool) -> torch.Tensor:
        self.sharing.is_on = is_on
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        with torch.no_grad(), self.accelerator.autocast():
            output = self.model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                labels=labels,
                use_cache=False,
                fused_lm_head=True,
            )
        return output.log_probs[labels[:, 1:] != -100]

    def _add_reference(self) -> None:
        """The reference's log-probabilities of every pair, once; its weights can go then."""
        self.sharing.reset()
        mine = range(self.args.process_index, len(self.train_dataset), self.args.world_size)
        found = []
        for number in mine:
            for batch in self._collate([self.train_dataset[number]])["parts"]:
                inputs = self._prepare_inputs(_without_shares(batch))
                chosen, rejected = self.compute_ref_log_probs(self.model, inputs)
                found.append((number, chosen.tolist(), rejected.tolist()))
        by_step: dict[int, list[tuple[float, float]]] = {}
        for number, chosen, rejected in gather_object(found):
            by_step.setdefault(number, []).extend(zip(chosen, rejected, strict=True))
        for number, values in by_step.items():
            for row, (chosen, rejected) in zip(self.train_dataset[number], values, strict=True):
                row["ref_chosen_logps"], row["ref_rejected_logps"] = chosen, rejected
        self.precompute_ref_logps = True
        if "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")


def _without_shares(batch: Batch) -> Batch:
    return {name: value for name, value in batch.items() if not name.endswith("_share")}


def _zero_reference(model: Any) -> None:
    """Make TRL's frozen copy of the parent the base model: a LoRA with B = 0 adds nothing."""
    for name, weight in model.named_parameters():
        if ".ref." in name and "lora_B" in name:
            weight.data.zero_()
