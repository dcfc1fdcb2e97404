"""What sampling costs beside the obvious way: `python -m benchmarks.generation`

On a CPU, in float32, with the starter; the claims about vLLM where vLLM is installed. Rounds of
both ways take turns, the figure is the median of their ratios; for grading, chunks take turns.

The starter draws a program about as fast as the sandbox grades one, which no model that people
refine does. So grading is measured beside the same starter made deeper, to the size of the smallest
of those models: the further layers change nothing of what it says.
"""

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

from benchmarks.claims import Claim, finish, interval
from codelutra import phases
from codelutra.config import STARTER, RefineConfig
from codelutra.generation import Chunk, Engine, GenerationRequest, load_generator
from codelutra.grading import Grader
from codelutra.models import resolve_model
from codelutra.records import SampleKey, Verdict
from codelutra.run_folder import RunFolder
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, load_tasks, select_tasks

NUM_SAMPLES = 10
REQUEST = GenerationRequest(NUM_SAMPLES, 1.0, 0.95, max_new_tokens=96, seed=0)
BATCH = 200 // NUM_SAMPLES  # prompts a chunk, as in a run
TRANSFORMERS = {"backend": "transformers", "dtype": "float32"}
VLLM = {"backend": "vllm", "dtype": "float32"}
DEEP_LAYERS = 156  # 133M parameters; SmolLM2, the smallest of them, has 135M
DEEP_TASKS = 240


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tasks and rounds")
    options = parser.parse_args()
    size, rounds = (40, 3) if options.quick else (100, 5)
    tasks = [task for task in load_tasks(STARTER) if task.split == "train"][:size]
    claims = [Claim("cpu_vs_plain_generate", against_plain_generate(tasks, rounds), floor=3)]
    if not options.quick:
        with tempfile.TemporaryDirectory() as folder:
            overhead = grading_overhead(deep_starter(Path(folder)), DEEP_TASKS)
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


def grading_overhead(model: str, num_tasks: int) -> float:
    """What grading adds to the wall time of a sampling phase, as a share of it.

    Every other chunk is drawn beside the grading of the one before, the rest alone; then the same
    chunks are drawn again the other way round. So each is compared with itself, and minutes when
    the machine is slow count for both. The grading of the last chunk, beside which nothing is
    drawn, comes on top.
    """
    config = RefineConfig.for_model(
        model,
        max_train=num_tasks,
        max_heldout=1,
        validation_share=0,
        sampling={"max_new_tokens": REQUEST.max_new_tokens},
        generation=TRANSFORMERS,
    )
    tasks = select_tasks(load_tasks(STARTER), config)
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(config.sandbox) as sandbox,
        Engine() as engine,
    ):

        def drawn(tasks: Sequence[Task], graded: int) -> tuple[list[float], float]:
            """Seconds of each chunk, and those after the last one."""
            times: list[float] = []
            place = Path(tempfile.mkdtemp(dir=folder))
            run = RunFolder(place, config, report=lambda *_: times.append(perf_counter()))
            phases.sample(run, tasks, 1, EveryOther(sandbox, graded), engine)
            return [end - start for start, end in pairwise(times)], perf_counter() - times[-1]

        drawn(tasks[:BATCH], 0)  # loads the policy and starts the sandboxes
        ways = [drawn(tasks, graded) for graded in (0, 1)]
    ratios = []
    for chunk, seconds in enumerate(zip(*(chunks for chunks, _ in ways), strict=True)):
        beside, alone = seconds if chunk % 2 == 1 else reversed(seconds)
        if chunk:  # beside the first one nothing can be graded
            ratios.append(beside / alone - 1)
            print(f"seconds of a chunk alone and beside: {alone:.2f} {beside:.2f}")
    last = sum(seconds for _, seconds in ways) / fmean(sum(chunks) for chunks, _ in ways)
    low, high = interval(ratios)
    print(f"  beside {fmean(ratios):+.3f} (n = {len(ratios)}, 95 % {low:+.3f} to {high:+.3f})")
    print(f"  and of the last chunk {last:+.3f}")
    return fmean(ratios) + last


class EveryOther(Grader):
    """Grades the even chunks, or the odd ones."""

    def __init__(self, sandbox: Sandbox, graded: int) -> None:
        super().__init__(sandbox)
        self._graded, self._seen = graded, 0

    def grade(self, *asked: Any) -> dict[SampleKey, Verdict]:
        self._seen += 1
        return super().grade(*asked) if (self._seen - 1) % 2 == self._graded else {}


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
