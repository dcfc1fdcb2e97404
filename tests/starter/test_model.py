"""The committed weights: small, loadable, and able to write a program for a prompt."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from codelutra.starter import MODEL_DIR, starter_tasks
from codelutra.starter.tokenizer import build_tokenizer

LIMIT_MB = 12


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return starter_tasks(tmp_path_factory.mktemp("home"))


def test_the_model_folder_is_small() -> None:
    assert sum(p.stat().st_size for p in MODEL_DIR.iterdir()) < LIMIT_MB * 2**20


def test_the_tokenizer_is_lossless_and_belongs_to_the_weights(tasks: list[dict[str, Any]]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    for text in (*(t["prompt"] + t["gold"] for t in tasks[::7]), "Größe 1234 %$ \t x"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_every_name_of_a_task_is_one_token(tasks: list[dict[str, Any]]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    longest = max(len(tokenizer(t["prompt"])["input_ids"]) for t in tasks)
    assert longest <= 110
    assert max(len(tokenizer(t["gold"])["input_ids"]) for t in tasks) <= 60


def test_the_model_writes_programs(tasks: list[dict[str, Any]], tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    model = AutoModelForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.bfloat16)
    chosen = [t for t in tasks if t["split"] == "heldout"][::50]
    batch = tokenizer([t["prompt"] for t in chosen], return_tensors="pt", padding=True)
    out = model.generate(
        batch["input_ids"], attention_mask=batch["attention_mask"], do_sample=False
    )
    starts = {"sql": ("SELECT ",), "python": ("result", "part", "totals", "total", "counts")}
    for task, row in zip(chosen, out[:, batch["input_ids"].shape[1] :], strict=True):
        assert tokenizer.eos_token_id in row, "the program ends by itself"
        program = tokenizer.decode(row, skip_special_tokens=True)
        assert program.startswith((*starts[task["kind"]], task["family"])), program
