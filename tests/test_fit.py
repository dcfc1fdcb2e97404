"""The estimates against numbers reckoned by hand, and what a refusal says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelutra import machine, model_shape
from codelutra.config import STARTER, RefineConfig
from codelutra.errors import ModelError
from codelutra.fit import GIB, DoesNotFit, Estimate, Need, check, estimate, gib, refuse
from codelutra.fit_terms import TaskFacts, facts_of
from codelutra.machine import Machine
from codelutra.model_shape import read_shape, shape_of_config
from codelutra.tasks import Task

LLAMA_3_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
FACTS = TaskFacts(500, 100, 500, longest_prompt=900, median_prompt=400, median_gold=60)


def gpu(total: float, free: float | None = None) -> Machine:
    """An NVIDIA GPU of so many GiB in a machine with plenty of everything else."""
    free = total if free is None else free
    plenty = 500 * GIB
    return Machine(plenty, plenty, plenty, plenty, "a GPU", round(total * GIB), round(free * GIB),
                   has_bfloat16=True)  # fmt: skip


def of_llama(on: Machine, **changes: Any) -> Estimate:
    shape = shape_of_config("llama", LLAMA_3_8B, is_here=True)
    return estimate(shape, FACTS, RefineConfig.for_model("llama", **changes), on)


def need(found: Estimate, phase: str) -> Need:
    return next(one for one in found.needs if one.phase == phase)


def part(found: Estimate, phase: str, name: str) -> tuple[float, float]:
    one = next(part for part in need(found, phase).parts if part.name == name)
    return one.least, one.most


def test_llama_3_8b_has_the_parameters_that_it_is_known_for() -> None:
    shape = shape_of_config("llama", LLAMA_3_8B)
    assert shape.parameters == 8_030_261_248
    assert shape.kv_bytes_per_token(2) == 128 * 1024  # 2 * 32 layers * 8 heads * 128 * 2 bytes
    assert shape.lora_parameters(16) == 41_943_040
    assert shape.linear_parameters == 32 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336)


def test_memory_of_llama_3_8b_is_the_sum_that_a_person_would_write_down() -> None:
    found = of_llama(gpu(80))
    assert part(found, "sampling", "weights")[0] == 2 * 8_030_261_248
    cache = part(found, "sampling", "KV cache")
    assert cache[0] == 200 * 400 * 131_072
    assert cache[1] == 2 * 200 * (900 + 256) * 131_072
    assert part(found, "training", "LoRA")[0] == 20 * 41_943_040
    # 1,024 tokens at most in a pair: 8 pairs of single tasks, or one task of 11 programs.
    tokens = max(900 + 11 * 124, 8 * (900 + 2 * 124))
    checkpoints, layer = 32 * 4096 * 2, 20 * 4096 + 2 * (4 * 4096 + 2 * 1024 + 4 * 14336 + 14 * 16)
    passing = 2 * (2 * 4096 + 3 * 14336)
    assert part(found, "training", "activations")[1] == tokens * (checkpoints + layer + passing)


def test_each_setting_that_saves_memory_lowers_its_estimate() -> None:
    whole = of_llama(gpu(80))
    four = of_llama(gpu(80), training={"load_in_4bit": True})
    assert part(four, "training", "weights")[0] == pytest.approx(
        0.516 * 6_979_321_856 + 4 * (8_030_261_248 - 6_979_321_856)
    )
    for changes in (
        {"load_in_4bit": True},
        {"max_tokens": 2048},
        {"lora_rank": 4},
    ):
        less = of_llama(gpu(80), training=changes)
        assert need(less, "training").most < need(whole, "training").most
    off = of_llama(gpu(80), training={"gradient_checkpointing": "off"})
    assert need(off, "training").most > 1.5 * need(whole, "training").most
    small = of_llama(gpu(80), sampling={"batch_size": 20})
    assert need(small, "sampling").most < need(whole, "sampling").most


def test_a_refusal_names_what_is_missing_and_what_to_change() -> None:
    with pytest.raises(DoesNotFit) as caught:
        refuse(of_llama(gpu(24)))
    line = str(caught.value)
    least = need(of_llama(gpu(24)), "sampling").least
    assert line.startswith(
        f"sampling needs at least {gib(least)} of GPU memory, the machine has 24.0 GiB: "
        f"{gib(least - 24 * GIB)} are missing; try sampling.batch_size=10"
    )
    assert "\n" not in line


def with_vllm(on: Machine, **settings: Any) -> Estimate:
    return of_llama(on, generation={"backend": "vllm", **settings})


def test_vllm_takes_its_share_of_a_gpu_whatever_is_written() -> None:
    for phase in ("sampling", "evaluation"):
        one = need(with_vllm(gpu(80)), phase)
        assert (one.least, one.most, one.state) == (0.9 * 80 * GIB, 0.9 * 80 * GIB, "yes")
        assert one.parts[-1].name == "reserved"
    half = need(with_vllm(gpu(80), gpu_memory_utilization=0.5), "sampling")
    assert half.most == 40 * GIB
    assert part(with_vllm(gpu(80)), "sampling", "KV cache")[0] == 8192 * 131_072
    two = with_vllm(gpu(80), tensor_parallel=2)
    assert part(two, "sampling", "weights")[0] == 8_030_261_248


def test_a_share_that_is_not_free_is_told_before_a_run_as_vllm_would_refuse_it() -> None:
    busy = with_vllm(gpu(80, free=60))
    refuse(busy)
    line = next(line for line in busy.warnings if line.startswith("sampling"))
    assert "needs at least 72.0 GiB of GPU memory, 60.0 GiB of 80.0 GiB are free" in line
    assert "or try generation.gpu_memory_utilization=0.7" in line


def test_weights_that_the_share_cannot_hold_are_refused() -> None:
    with pytest.raises(DoesNotFit) as caught:
        refuse(with_vllm(gpu(80), gpu_memory_utilization=0.2))
    assert "of the GPU memory that generation.gpu_memory_utilization=0.2 gives vLLM" in str(
        caught.value
    )
    assert "the machine has 16.0 GiB" in str(caught.value)


def test_vllm_on_a_cpu_takes_its_cache_beside_the_weights() -> None:
    here = replace(gpu(80), gpu="", has_bfloat16=False)
    found = estimate(
        read_shape(STARTER), FACTS, RefineConfig.for_model(STARTER, generation={"backend": "vllm"}),
        here,
    )  # fmt: skip
    assert part(found, "sampling", "KV cache") == (GIB, GIB)
    assert part(found, "sampling", "weights")[0] == 4 * 3_848_448
    assert read_shape(STARTER).window == 512


def test_advice_that_would_not_be_enough_comes_after_a_smaller_model() -> None:
    warnings = of_llama(gpu(8)).warnings
    assert all("; try a smaller model" in line for line in warnings)


def test_what_may_fit_is_never_refused() -> None:
    found = of_llama(gpu(40))
    assert need(found, "sampling").most > 40 * GIB
    refuse(found)
    assert any("sampling may need up to" in line for line in found.warnings)
    busy = of_llama(gpu(80, free=10))
    refuse(busy)
    assert any("10.0 GiB of 80.0 GiB are free" in line for line in busy.warnings)


def test_a_disk_without_room_is_refused() -> None:
    tiny = replace(gpu(80), hub_free=GIB)
    shape = shape_of_config("llama", LLAMA_3_8B)  # not here: 15 GiB to download
    found = estimate(shape, FACTS, RefineConfig.for_model("llama"), tiny)
    with pytest.raises(DoesNotFit, match=r"downloading the model needs at least 15\.0 GiB"):
        refuse(replace(found, needs=tuple(n for n in found.needs if "disk" in n.place)))


def test_the_starter_is_counted_in_its_weights_and_fits() -> None:
    shape = read_shape(STARTER)
    assert (shape.parameters, shape.layers, shape.is_here) == (3_848_448, 4, True)
    assert shape.lora_parameters(16) == 327_680
    assert shape.source == "counted in the weights' headers"
    by_config = shape_of_config(STARTER, json.loads(
        (Path(model_shape.__file__).parent / "starter/model/config.json").read_text()
    ))  # fmt: skip
    assert by_config.parameters == shape.parameters
    assert sorted(by_config.linears) == sorted(shape.linears)


def test_a_config_that_tells_no_shape_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "odd"}')
    with pytest.raises(ModelError, match=r"config\.json has no hidden_size"):
        read_shape(str(tmp_path))
    tasks = [Task(task_id="a", kind="python", prompt="p", gold="result = 1")]
    (warning,) = check(RefineConfig(model=str(tmp_path)), tasks)
    assert warning.startswith("what the run needs is unknown: ")


def test_a_model_beyond_this_machine_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    huge = LLAMA_3_8B | {"num_hidden_layers": 32_000}
    (tmp_path / "config.json").write_text(json.dumps(huge))
    tasks = [Task(task_id="a", kind="python", prompt="p", gold="result = 1")]
    with pytest.raises(DoesNotFit, match="are missing"):
        check(RefineConfig(model=str(tmp_path)), tasks)


def test_task_lengths_are_read_from_the_tasks() -> None:
    tasks = [
        Task(task_id=str(n), kind="python", prompt="x" * n, gold="y" * 30, split=split)
        for n, split in ((30, "train"), (60, "train"), (300, "heldout"))
    ]
    assert facts_of(tasks) == TaskFacts(2, 0, 1, 100, 20, 10)


def test_memory_of_a_gpu_is_read_without_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA RTX, 24564, 23000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "version", lambda _: "2.13.0+cu130")
    found = machine.look()
    assert (found.gpu, found.gpu_total, found.device) == ("NVIDIA RTX", 24564 << 20, "GPU memory")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.look().device == "memory"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(machine, "version", lambda _: "2.13.0+cpu")
    assert machine.look().gpu == ""
