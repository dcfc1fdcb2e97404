"""What only the real vLLM shows: equal answers in every form, and whole iterations through it."""

from pathlib import Path
from typing import Any

import pytest

from codelutra.backends import check_backend
from codelutra.config import RefineConfig
from codelutra.generation import Chunk, GenerationRequest, load_generator
from codelutra.loop import refine
from codelutra.run_folder import RunFolder
from codelutra.starter import MODEL_DIR
from codelutra.summary import run_summary
from codelutra.tasks import load_tasks, select_tasks
from tests.generation.adapters import make_adapter
from tests.generation.backends import (
    TRANSFORMERS,
    VLLM_LORA,
    VLLM_MERGED,
    vllm_server,
)

pytestmark = pytest.mark.vllm
PROMPTS = tuple(task.prompt for task in load_tasks("starter") if task.split == "heldout")[::2]
GREEDY = GenerationRequest(1, 0.0, 1.0, max_new_tokens=96, seed=0)


def answers(backend: dict[str, Any], adapter: str) -> list[str]:
    generator = load_generator(backend, str(MODEL_DIR), adapter)
    ((_, drawn),) = generator.generate([Chunk(0, PROMPTS)], GREEDY)
    return [each.text for (each,) in drawn]


def test_beside_merged_and_through_transformers_an_adapter_gives_the_same_answers(
    tmp_path: Path,
) -> None:
    adapter = make_adapter(tmp_path / "adapter", size=0.05).path
    assert len(PROMPTS) == 200
    expected = answers(TRANSFORMERS, adapter)
    assert expected != answers(TRANSFORMERS, ""), "it is not the base"
    for backend in (VLLM_LORA, VLLM_MERGED):
        same = sum(a == b for a, b in zip(expected, answers(backend, adapter), strict=True))
        assert same >= 0.98 * len(PROMPTS)


def small_run(folder: Path, backend: dict[str, Any]) -> RunFolder:
    config = RefineConfig.for_model(
        "starter",
        iterations=1,
        max_train=20,
        max_heldout=20,
        validation_share=0,
        generation=backend,
        sampling={"num_samples": 4, "max_new_tokens": 64, "extra_samples": 0},
        training={"epochs": 1},
    )
    ledger = RunFolder(folder, config)
    refine(ledger, select_tasks(load_tasks(config.tasks), config))
    return ledger


def check(ledger: RunFolder) -> None:
    summary = run_summary(ledger)
    (iteration,) = summary["iterations"]
    assert summary["base"]["n"] == iteration["heldout"]["n"] == 20
    assert iteration["samples"]["n"] == 80
    assert iteration["pairs"] > 0
    log = (ledger.folder / "run.log").read_text()
    assert log.count("probe: the adapter answers") == 1
    drawn = {s.key: s.completion for s in ledger.samples(1, "heldout")}
    greedy = {s.key: s.completion for s in ledger.samples(0, "heldout")}
    assert drawn != greedy


def test_a_whole_iteration_through_vllm_with_lora(tmp_path: Path) -> None:
    check(small_run(tmp_path / "run", VLLM_LORA))


def test_a_whole_iteration_through_a_vllm_server(tmp_path: Path) -> None:
    with vllm_server() as url:
        backend = {"backend": "openai", "base_urls": url, "model": "starter-served"}
        generation = {"generation": backend}
        check_backend(RefineConfig.for_model("starter", **generation))
        check(small_run(tmp_path / "run", backend))
