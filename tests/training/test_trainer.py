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
from codelutra.training.trainer import loss_terms, train

PAIRS = [
    {
        "prompt": f"-- rows of t with b at least {i}?\n",
        "chosen": f"SELECT a FROM t WHERE b >= {i};",
        "rejected": f"SELECT a FRM t WHERE b > {i};",
    }
    for i in range(16)
]


def run(model: str, out: Path, parent: str = "", **training: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    pairs, chat_template = training.pop("pairs", PAIRS), training.pop("chat_template", "auto")
    settings = {"learning_rate": 1e-3, **training}
    train(
        {
            "model": model,
            "parent": parent,
            "pairs": pairs,
            "chat_template": chat_template,
            "training": settings,
            "seed": 0,
            "out": str(out),
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
    assert run(tiny_model, tmp_path / "b")[0] == {"dropped": 0}


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
