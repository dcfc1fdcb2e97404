"""Prefix-shared training against stock TRL and against the paper's formula in float64."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from codelutra.config import TrainingConfig
from codelutra.training.dual_loss import loss_terms
from codelutra.training.dual_trainer import DualTrainer
from codelutra.training.prefix_tree import IGNORED, pack
from tests.training.families import FAMILIES, make_model

BETA, SFT_WEIGHT = 0.3, 0.7
LORA = LoraConfig(
    r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
)
ONE = [("a", "-- names of t?\n", "SELECT name FROM t;", "SELECT nme FROM t WHERE;")]
MANY = [
    ("a", "-- names of t in order of b, the first three?\n", good, bad)
    for good in (
        "SELECT name FROM t ORDER BY b LIMIT 3;",
        "SELECT t.name FROM t ORDER BY t.b LIMIT 3;",
    )
    for bad in ("SELECT name FROM t;", "SELECT name FROM t ORDER BY", "SELECT", "import os")
]
RAGGED = [*MANY, *ONE, ("b", "-- rows?\n", "SELECT COUNT(*) FROM t;", "SELECT COUNT(a, b) FROM t;")]


def rows(pairs: list[tuple[str, str, str, str]]) -> list[dict[str, str]]:
    names = ("task_id", "prompt", "chosen", "rejected")
    return [dict(zip(names, pair, strict=True)) for pair in pairs]


def arguments(out: Path, config: TrainingConfig, batch: int) -> DPOConfig:
    names, weights = loss_terms(config)
    return DPOConfig(
        output_dir=str(out),
        loss_type=names,
        loss_weights=weights,
        beta=config.beta,
        per_device_train_batch_size=batch,
        max_length=None,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        remove_unused_columns=False,
        report_to=[],
    )


def parent(model: str) -> PeftModel:
    """The same random adapter every time, far from the base."""
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    return get_peft_model(base, LORA)


def settings(**changes: Any) -> TrainingConfig:
    return TrainingConfig(beta=BETA, sft_weight=SFT_WEIGHT, batch_size=100, **changes)


def moved(trainer: DPOTrainer) -> None:
    """As after some steps: the policy is no longer its reference."""
    generator = torch.Generator().manual_seed(2)
    for name, weight in trainer.model.named_parameters():
        if ".default." in name:
            weight.data += 0.05 * torch.randn(weight.shape, generator=generator)


def gradients(trainer: DPOTrainer) -> dict[str, torch.Tensor]:
    found = {n: p.grad for n, p in trainer.model.named_parameters() if p.grad is not None}
    assert found
    assert all(".default." in name for name in found)
    return found


def stock_step(model: str, pairs: Any, config: TrainingConfig, out: Path) -> tuple[float, Any]:
    trainer = DPOTrainer(
        model=parent(model),
        args=arguments(out, config, len(pairs)),
        train_dataset=Dataset.from_list(rows(pairs)),
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    if config.reference == "base":  # stock TRL has no switch for it: its frozen copy made to add 0
        for name, weight in trainer.model.named_parameters():
            if ".ref." in name and "lora_B" in name:
                weight.data.zero_()
    moved(trainer)
    loss = trainer.compute_loss(trainer.model, trainer.data_collator(list(trainer.train_dataset)))
    loss.backward()
    return loss.item(), gradients(trainer)


def shared_step(
    model: str, pairs: Any, config: TrainingConfig, out: Path
) -> tuple[float, Any, DualTrainer]:
    trainer = DualTrainer(
        config,
        arguments(out, config, 1),
        model=parent(model),
        pairs=rows(pairs),
        tokenizer=AutoTokenizer.from_pretrained(model),
        lora=None,
    )
    assert trainer.facts["fallback"] == ""
    assert trainer.sharing.run_tokens < trainer.sharing.stock_tokens
    moved(trainer)
    (step,) = trainer.train_dataset
    trainer.current_gradient_accumulation_steps = 1  # as train() sets it
    loss = trainer.training_step(trainer.model, trainer._collate([step]))
    return loss.item(), gradients(trainer), trainer


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("llama"), "llama")


def assert_equal(stock: tuple[float, Any], shared: tuple[float, Any]) -> None:
    assert shared[0] == pytest.approx(stock[0], rel=1e-5)
    assert shared[1].keys() == stock[1].keys()
    for name, gradient in stock[1].items():
        error = (shared[1][name] - gradient).norm() / gradient.norm()
        assert error < 1e-5, name


@pytest.mark.parametrize("reference", ["previous", "base"])
def test_loss_and_gradients_equal_stock_trl(family: str, reference: Any, tmp_path: Path) -> None:
    """Tasks of one pair and of many, of ragged lengths, in one batch."""
    config = settings(reference=reference)
    stock = stock_step(family, RAGGED, config, tmp_path / "stock")
    assert_equal(stock, shared_step(family, RAGGED, config, tmp_path / "shared")[:2])


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["previous", "base"])
@pytest.mark.parametrize("pairs", [ONE, MANY], ids=["one pair", "one task"])
def test_a_single_task_equals_stock_trl(
    family: str, pairs: Any, reference: Any, tmp_path: Path
) -> None:
    config = settings(reference=reference)
    stock = stock_step(family, pairs, config, tmp_path / "stock")
    assert_equal(stock, shared_step(family, pairs, config, tmp_path / "shared")[:2])


@pytest.mark.parametrize("changes", [{"mode": "dpo"}, {"mode": "sft"}, {"max_tokens": 60}], ids=str)
def test_other_modes_and_parts_equal_stock_trl(llama: str, changes: Any, tmp_path: Path) -> None:
    config = settings(**changes)
    stock = stock_step(llama, RAGGED, config, tmp_path / "stock")
    assert_equal(stock, shared_step(llama, RAGGED, config, tmp_path / "shared")[:2])


def float64_logps(model: PeftModel, tokenizer: Any, prompt: str, completion: str) -> torch.Tensor:
    """Log-probabilities of the completion's tokens, one plain sequence at a time."""
    start = len(tokenizer(prompt)["input_ids"])
    ids = torch.tensor([tokenizer(prompt + completion + tokenizer.eos_token)["input_ids"]])
    logits = model(input_ids=ids).logits[0, :-1].log_softmax(dim=-1)
    return logits.gather(1, ids[0, 1:, None])[start - 1 :, 0]


@pytest.mark.parametrize("reference", ["previous", "base"])
def test_the_loss_is_the_papers_formula(llama: str, reference: Any, tmp_path: Path) -> None:
    loss, _, trainer = shared_step(llama, RAGGED, settings(reference=reference), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(llama)
    before = parent(llama).double().eval()
    policy = parent(llama).double().eval()
    moved(type("Moved", (), {"model": policy}))  # type: ignore[arg-type]
    dpo, nll = [], []
    with torch.no_grad():
        for _, prompt, chosen, rejected in RAGGED:
            ratios = []
            for text in (chosen, rejected):
                mine = float64_logps(policy, tokenizer, prompt, text)
                if reference == "base":
                    with before.disable_adapter():
                        theirs = float64_logps(before, tokenizer, prompt, text)
                else:
                    theirs = float64_logps(before, tokenizer, prompt, text)
                ratios.append((mine - theirs).sum())
                nll += [-mine] if text is chosen else []
            dpo.append(-torch.log(torch.sigmoid(BETA * (ratios[0] - ratios[1]))))
    expected = torch.stack(dpo).mean() + SFT_WEIGHT * torch.cat(nll).mean()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    metrics = trainer._metrics["train"]
    assert metrics["loss/dpo"] == [pytest.approx(torch.stack(dpo).mean().item(), rel=1e-4)]
    assert metrics["loss/sft"] == [pytest.approx(torch.cat(nll).mean().item(), rel=1e-5)]


def test_what_sequences_share_is_run_once() -> None:
    """p p | a b, p p | a c and p p | a c again: two prompt tokens, a, b, c and what scores them."""
    ids = torch.tensor([[7, 8, 1, 2], [7, 8, 1, 3], [7, 8, 1, 3]])
    labels = ids.clone()
    labels[:, :2] = IGNORED
    trees = pack(ids, torch.ones_like(ids), labels)
    assert trees.num_nodes == 6  # 7 8 1 2 3, and a second 1 that scores 3
    assert sorted(trees.input_ids[0].tolist()) == [1, 1, 2, 3, 7, 8]
    assert trees.shift_labels[0][trees.scored_by].tolist() == [1, 2, 1, 3, 1, 3]
    first, second = trees.scored_by.tolist()[1], trees.scored_by.tolist()[3]
    assert not trees.attention_mask[0, 0, first, second]
    assert not trees.attention_mask[0, 0, second, first]


def test_tasks_never_see_each_other() -> None:
    ids = torch.tensor([[7, 8, 1], [9, 8, 1]])
    labels = ids.clone()
    labels[:, :2] = IGNORED
    trees = pack(ids, torch.ones_like(ids), labels)
    mask = trees.attention_mask[:, 0]
    for row in range(len(mask)):
        tokens = trees.input_ids[row]
        for one in (tokens == 7).nonzero().flatten():
            assert not mask[row][:, one][tokens == 9].any()


FALLBACKS = {
    "a sliding window": ("mistral", {"sliding_window": 8}, "sliding window of 8 tokens is shorter"),
    "an attention of its own": (
        "llama",
        {"attn_implementation": "eager"},
        "its attention is 'eager', which takes no mask of ours",
    ),
}


@pytest.mark.parametrize(("kind", "changes", "reason"), FALLBACKS.values(), ids=FALLBACKS)
def test_where_trees_are_not_exact_stock_batches_are_run_and_said(
    kind: str, changes: Any, reason: str, tmp_path: Path
) -> None:
    attention = changes.pop("attn_implementation", "sdpa")
    model = make_model(tmp_path / "model", kind, **changes)
    base = AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.float32, attn_implementation=attention
    )
    trainer = DualTrainer(
        settings(),
        arguments(tmp_path / "out", settings(), 1),
        model=get_peft_model(base, LORA),
        pairs=rows(RAGGED),
        tokenizer=AutoTokenizer.from_pretrained(model),
        lora=None,
    )
    assert reason in trainer.facts["fallback"]
    assert trainer.facts["run_tokens"] == trainer.facts["stock_tokens"]


def test_a_model_that_minds_its_neighbours_is_found_by_trial(llama: str, tmp_path: Path) -> None:
    """One whose mask is ignored: no list of names would know it."""
    base = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    inner = base.model.forward
    base.model.forward = lambda attention_mask=None, **kwargs: inner(**kwargs)  # type: ignore[method-assign]
    trainer = DualTrainer(
        settings(),
        arguments(tmp_path, settings(), 1),
        model=get_peft_model(base, LORA),
        pairs=rows(RAGGED),
        tokenizer=AutoTokenizer.from_pretrained(llama),
        lora=None,
    )
    assert "a trial on shared prefixes was" in trainer.facts["fallback"]
