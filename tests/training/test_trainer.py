"""The dual loss on a tiny random model; TRL and PEFT are the real ones."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from codelutra.config import TrainingConfig
from codelutra.errors import TrainingError
from codelutra.training.dual_loss import loss_terms
from codelutra.training.trainer import train

PAIRS = [
    {
        "task_id": str(i),
        "prompt": f"-- rows of t with b at least {i}?\n",
        "chosen": f"SELECT a FROM t WHERE b >= {i};",
        "rejected": f"SELECT a FRM t WHERE b > {i};",
    }
    for i in range(16)
]


def run(model: str, out: Path, parent: str = "", **training: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    pairs, chat_template = training.pop("pairs", PAIRS), training.pop("chat_template", "auto")
    in_order = training.pop("in_order", False)
    settings = {"learning_rate": 1e-3, **training}
    train(
        {
            "model": model,
            "parent": parent,
            "pairs": pairs,
            "chat_template": chat_template,
            "training": settings,
            "seed": 0,
            "in_order": in_order,
            "out": str(out),
            "work": str(out.with_name(out.name + ".work")),
        },
        messages.append,
    )
    return messages


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def steps(messages: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [message["metrics"] for message in messages if "step" in message]


@pytest.fixture(scope="module")
def parent(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "first"
    run(tiny_model, folder)
    return folder


def test_modes_are_trls_losses_and_weights() -> None:
    assert loss_terms(TrainingConfig(sft_weight=0.5)) == (["sigmoid", "sft"], [1.0, 0.5])
    assert loss_terms(TrainingConfig(mode="dpo")) == (["sigmoid"], [1.0])
    assert loss_terms(TrainingConfig(mode="sft")) == (["sft"], [1.0])


def test_every_step_reports_trls_metrics(tiny_model: str, tmp_path: Path) -> None:
    logged = steps(run(tiny_model, tmp_path / "a", epochs=2))
    assert len(logged) == 4  # 16 pairs, 8 a step, 2 epochs
    wanted = {"loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected"}
    assert all(wanted <= set(metrics) for metrics in logged)


def test_the_two_terms_are_reported_and_add_up_to_the_loss(tiny_model: str, tmp_path: Path) -> None:
    for metrics in steps(run(tiny_model, tmp_path / "a", sft_weight=0.5)):
        parts = metrics["loss/dpo"] + 0.5 * metrics["loss/sft"]
        assert parts == pytest.approx(metrics["loss"], rel=1e-5)
        assert metrics["tokens_per_second"] > 0
    only = steps(run(tiny_model, tmp_path / "b", mode="dpo"))[0]
    assert "loss/sft" not in only
    assert only["loss/dpo"] == pytest.approx(only["loss"], rel=1e-5)


def test_a_step_taken_in_parts_is_the_same_step(tiny_model: str, tmp_path: Path) -> None:
    whole = steps(run(tiny_model, tmp_path / "a", max_tokens=10_000, precision="float32"))
    parts = steps(run(tiny_model, tmp_path / "b", max_tokens=100, precision="float32"))
    for one, other in zip(whole, parts, strict=True):
        for name in ("loss", "grad_norm", "loss/dpo", "loss/sft", "rewards/margins"):
            assert one[name] == pytest.approx(other[name], rel=1e-4, abs=1e-6), name


def test_checkpointed_activations_change_no_number(tiny_model: str, tmp_path: Path) -> None:
    kept = steps(run(tiny_model, tmp_path / "a", gradient_checkpointing="off"))
    again = steps(run(tiny_model, tmp_path / "b", gradient_checkpointing="on"))
    for one, other in zip(kept, again, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


def test_bfloat16_starts_at_its_reference_and_learns(tiny_model: str, tmp_path: Path) -> None:
    logged = steps(run(tiny_model, tmp_path / "a", precision="bfloat16", epochs=4))
    assert abs(logged[0]["rewards/margins"]) < 0.02
    assert logged[-1]["loss"] < logged[0]["loss"]


def test_easiest_first_keeps_the_order_of_the_pairs(tiny_model: str, tmp_path: Path) -> None:
    ordered = steps(run(tiny_model, tmp_path / "a", in_order=True, batch_size=4))
    alone = steps(run(tiny_model, tmp_path / "b", pairs=PAIRS[:4], batch_size=4))
    assert ordered[0]["logps/chosen"] == pytest.approx(alone[0]["logps/chosen"], abs=1e-4)


def test_lora_targets_are_the_modules_that_are_named(tiny_model: str, tmp_path: Path) -> None:
    run(tiny_model, tmp_path / "a", lora_targets="q_proj, v_proj")
    modules = {name.split(".")[-3] for name in weights(tmp_path / "a")}
    assert modules == {"q_proj", "v_proj"}


def test_four_bits_without_a_gpu_say_what_to_do(tiny_model: str, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(TrainingError, match="needs an NVIDIA GPU: switch it off"):
        run(tiny_model, tmp_path / "a", load_in_4bit=True)


def test_a_fresh_adapter_starts_at_its_reference(tiny_model: str, tmp_path: Path) -> None:
    first = steps(run(tiny_model, tmp_path / "a", mode="dpo"))[0]
    assert first["rewards/chosen"] == pytest.approx(0.0, abs=1e-6)
    assert first["loss"] == pytest.approx(0.6931, abs=1e-3)  # log 2: policy equals reference


def test_the_previous_policy_is_the_reference_of_a_continued_adapter(
    tiny_model: str, tmp_path: Path, parent: Path
) -> None:
    first = steps(run(tiny_model, tmp_path / "a", str(parent), reference="previous"))[0]
    assert first["rewards/chosen"] == pytest.approx(0.0, abs=1e-6)


def test_the_base_can_be_the_reference_of_a_continued_adapter(
    tiny_model: str, tmp_path: Path, parent: Path
) -> None:
    first = steps(run(tiny_model, tmp_path / "a", str(parent), reference="base"))[0]
    assert abs(first["rewards/chosen"]) > 1e-3


def test_a_continued_adapter_holds_one_set_of_changed_weights(
    tiny_model: str, tmp_path: Path, parent: Path
) -> None:
    run(tiny_model, tmp_path / "a", str(parent))
    before, after = weights(parent), weights(tmp_path / "a")
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_pairs_that_do_not_fit_are_dropped_and_counted(tiny_model: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="every pair is longer than 16 tokens"):
        run(tiny_model, tmp_path / "a", max_length=16)
    longer = {**PAIRS[0], "task_id": "long", "chosen": "SELECT " + "a, " * 400 + "a FROM t;"}
    (first, *_) = run(tiny_model, tmp_path / "b", pairs=[*PAIRS, longer], max_length=300)
    assert (first["facts"]["num_pairs"], first["facts"]["num_dropped"]) == (16, 1)


def test_a_chat_model_learns_on_what_it_will_read(tiny_model: str, tmp_path: Path) -> None:
    chat = tmp_path / "chat"
    shutil.copytree(tiny_model, chat)
    tokenizer = AutoTokenizer.from_pretrained(chat)
    tokenizer.chat_template = "<|user|>\n{{ messages[0].content }}<|assistant|>"
    tokenizer.save_pretrained(chat)
    wrapped = [{**pair, "prompt": f"<|user|>\n{pair['prompt']}<|assistant|>"} for pair in PAIRS]
    # At the first step the policy is the base: only what was read makes a difference.
    templated = steps(run(str(chat), tmp_path / "a"))[0]
    by_hand = steps(run(str(chat), tmp_path / "b", pairs=wrapped, chat_template="never"))[0]
    bare = steps(run(str(chat), tmp_path / "c", chat_template="never"))[0]
    assert templated["logps/chosen"] == pytest.approx(by_hand["logps/chosen"], abs=1e-4)
    assert templated["logps/chosen"] != pytest.approx(bare["logps/chosen"], abs=1e-2)
