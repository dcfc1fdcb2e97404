"""What sampling costs beside the obvious way: `python -m benchmarks.generation`

On a CPU, in float32, with the starter; the claims about vLLM where vLLM is installed. Rounds of
both ways take turns, the figure is the median of their ratios.

The starter draws a program about as fast as the sandbox grades one, which no model that people
refine does. So grading is measured beside the starter, and beside the same starter made deeper, to
less than half the smallest of those models: the further layers change nothing of what it says.
"""

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.claims import Claim, finish
from codelutra import phases
from codelutra.config import STARTER, RefineConfig
from codelutra.generation import Chunk, Engine, GenerationRequest, load_generator
from codelutra.grading import Grader
from codelutra.models import resolve_model
from codelutra.run_folder import RunFolder
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, load_tasks, select_tasks

NUM_SAMPLES = 10
REQUEST = GenerationRequest(NUM_SAMPLES, 1.0, 0.95, max_new_tokens=96, seed=0)
BATCH = 200 // NUM_SAMPLES  # prompts a chunk, as in a run
TRANSFORMERS = {"backend": "transformers", "dtype": "float32"}
VLLM = {"backend": "vllm", "dtype": "float32"}
DEEP_LAYERS = 64  # 55M parameters; SmolLM2, the smallest of them, has 135M
DEEP_TASKS, DEEP_ROUNDS = 60, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tasks and rounds")
    options = parser.parse_args()
    size, rounds = (40, 3) if options.quick else (100, 5)
    tasks = [task for task in load_tasks(STARTER) if task.split == "train"][:size]
    claims = [
        Claim("cpu_vs_plain_generate", against_plain_generate(tasks, rounds), floor=3),
        Claim("grading_beside_starter", grading_overhead(STARTER, size, rounds)),
    ]
    if not options.quick:
        with tempfile.TemporaryDirectory() as folder:
            overhead = grading_overhead(deep_starter(Path(folder)), DEEP_TASKS, DEEP_ROUNDS)
        claims.append(Claim("grading_overhead", overhead, ceiling=0.05))
    if importlib.util.find_spec("vllm"):
        claims.append(Claim("vllm_overhead", vllm_overhead(tasks, rounds), ceiling=0.03))
    else:
        print("vLLM is not installed here: its overhead was not measured")
    return finish(claims)


def against_plain_generate(tasks: Sequence[Task], rounds: int) -> float:
    """Samples/s of the backend, over those of one generate(num_return_sequences=n) a task."""
    generator: Any = load_generator(TRANSFORMERS, resolve_model(STARTER))
    ordered = sorted((task.prompt for task in tasks), key=len)
    cut = [tuple(ordered[at : at + BATCH]) for at in range(0, len(ordered), BATCH)]

    def ours() -> int:
        chunks = [Chunk(number, prompts) for number, prompts in enumerate(cut)]
        return sum(len(each) for _, drawn in generator.generate(chunks, REQUEST) for each in drawn)

    def plain() -> int:
        count = 0
        for prompt in ordered:
            encoded = generator.tokenizer(prompt, return_tensors="pt")
            count += len(
                generator.model.generate(
                    **encoded,
                    do_sample=True,
                    temperature=REQUEST.temperature,
                    top_p=REQUEST.top_p,
                    max_new_tokens=REQUEST.max_new_tokens,
                    num_return_sequences=NUM_SAMPLES,
                )
            )
        return count

    return _ratio("samples/s of plain generate and of the backend", plain, ours, rounds)


def deep_starter(folder: Path) -> str:
    """The starter with layers added that return what comes in, at the cost of a layer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    shallow = AutoModelForCausalLM.from_pretrained(resolve_model(STARTER))
    config = AutoConfig.from_pretrained(resolve_model(STARTER), num_hidden_layers=DEEP_LAYERS)
    deep = AutoModelForCausalLM.from_config(config)
    deep.load_state_dict(shallow.state_dict(), strict=False)
    with torch.no_grad():
        for layer in deep.model.layers[shallow.config.num_hidden_layers :]:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
    print(f"the starter, {DEEP_LAYERS} layers deep: {deep.num_parameters() / 1e6:.0f}M parameters")
    deep.save_pretrained(folder)
    AutoTokenizer.from_pretrained(resolve_model(STARTER)).save_pretrained(folder)
    return str(folder)


def grading_overhead(model: str, num_tasks: int, rounds: int) -> float:
    """Wall time of a sampling phase that grades beside, over one that does not, less one."""
    config = RefineConfig.for_model(
        model,
        max_train=num_tasks,
        max_heldout=1,
        sampling={"max_new_tokens": REQUEST.max_new_tokens},
        generation=TRANSFORMERS,
    )
    tasks = select_tasks(load_tasks(STARTER), config)

    class NoGrader:
        def grade(self, *_: Any) -> dict[Any, Any]:
            return {}

    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(config.sandbox) as sandbox,
        Engine() as engine,
    ):
        Grader(sandbox).grade({t.task_id: t for t in tasks}, [])

        def phase(grader: Any) -> Callable[[], int]:
            def run() -> int:
                place = Path(tempfile.mkdtemp(dir=folder))
                phases.sample(RunFolder(place, config), tasks, 1, grader(), engine)
                return num_tasks * NUM_SAMPLES

            return run

        phase(lambda: Grader(sandbox))()  # loads the policy and starts the sandboxes
        without, beside = phase(NoGrader), phase(lambda: Grader(sandbox))
        return 1 / _ratio("samples/s without and with grading", without, beside, rounds) - 1


def vllm_overhead(tasks: Sequence[Task], rounds: int) -> float:
    """Tokens/s of the engine's own LLM.generate, over those of the backend, less one."""
    from vllm import SamplingParams

    generator: Any = load_generator(VLLM, resolve_model(STARTER))
    prompts = [task.prompt for task in tasks]
    parameters = SamplingParams(
        n=NUM_SAMPLES,
        temperature=REQUEST.temperature,
        top_p=REQUEST.top_p,
        max_tokens=REQUEST.max_new_tokens,
    )

    def bare() -> int:
        outputs = generator.llm.generate(prompts, parameters, use_tqdm=False)
        return sum(len(each.token_ids) for output in outputs for each in output.outputs)

    def ours() -> int:
        chunks = [
            Chunk(at, tuple(prompts[at : at + BATCH])) for at in range(0, len(prompts), BATCH)
        ]
        drawn = generator.generate(chunks, REQUEST)
        return sum(one.num_tokens for _, chunk in drawn for each in chunk for one in each)

    return 1 / _ratio("tokens/s of LLM.generate and of the backend", bare, ours, rounds) - 1


def _ratio(name: str, baseline: Callable[[], int], ours: Callable[[], int], rounds: int) -> float:
    """The median over rounds of (ours per second) / (baseline per second)."""
    ratios = []
    for number in range(rounds):
        rates = {}
        for way in (baseline, ours) if number % 2 == 0 else (ours, baseline):
            started = perf_counter()
            count = way()
            rates[way] = count / (perf_counter() - started)
        ratios.append(rates[ours] / rates[baseline])
        print(f"{name}: {rates[baseline]:.1f} {rates[ours]:.1f}", flush=True)
    print(f"  ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return median(ratios)


if __name__ == "__main__":
    sys.exit(main())
