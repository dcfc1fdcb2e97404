"""The families of the presets, tiny and random, each through a whole iteration as it comes:
without a pad token, without a chat template or with one, with tied embeddings."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from codelutra.config import RefineConfig
from codelutra.loop import refine
from codelutra.run_folder import RunFolder
from codelutra.summary import run_summary
from codelutra.tasks import load_tasks, select_tasks
from tests.training.families import make_model

CHATML = (
    "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
PRESETS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Llama 3: no pad token": ("llama", {"tie_word_embeddings": False}, {"pad_token": None}),
    "Gemma: tied embeddings": ("gemma", {"tie_word_embeddings": True}, {}),
    "StarCoder2: sliding window": ("starcoder2", {"sliding_window": 64}, {}),
    "Qwen2.5: a chat template": ("qwen2", {}, {"chat_template": CHATML}),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_whole_iteration(preset: str, tmp_path: Path) -> None:
    family, shape, spelling = PRESETS[preset]
    model = make_model(tmp_path / "model", family, **shape)
    tokenizer = AutoTokenizer.from_pretrained(model)
    for name, value in spelling.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(model)
    config = RefineConfig.for_model(
        model,
        iterations=1,
        max_train=3,
        max_heldout=2,
        validation_share=0,
        sampling={"num_samples": 2, "max_new_tokens": 8, "extra_samples": 0},
        evaluation={"max_new_tokens": 8},
        training={"max_length": 1024, "learning_rate": 1e-2},
    )
    ledger = RunFolder(tmp_path / "run", config)
    refine(ledger, select_tasks(load_tasks("starter"), config))
    (iteration,) = run_summary(ledger)["iterations"]
    assert iteration["samples"]["n"] == 6
    assert iteration["pairs"] > 0
    assert iteration["heldout"]["n"] == 2
    assert "probe: " in (ledger.folder / "run.log").read_text()
    is_shared = preset != "StarCoder2: sliding window"
    assert (iteration["training"]["fallback"] == "") == is_shared
