"""How near is the memory that `doctor` estimates to what is used? `python -m benchmarks.fit
[--quick]`

Sampling and training of the starter and of random Llamas, each in a process of its own as the
worker runs it, on the tasks of the starter; the peak of resident memory against both ends of the
estimate. A random model never ends a program early, so its texts are as long as they may be.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, finish
from benchmarks.training import _peak_mb, in_child
from codelutra import phase_imports  # noqa: F401  # loaded once, before processes are forked
from codelutra.config import RefineConfig
from codelutra.fit import Need, estimate, facts_of
from codelutra.machine import look
from codelutra.model_shape import read_shape
from codelutra.models import resolve_model
from codelutra.tasks import Task, load_tasks, select_tasks

# Name -> hidden size, layers, vocabulary: 26 and 124 million parameters.
LLAMAS = {"llama-26m": (512, 6, 8000), "llama-124m": (768, 12, 32000)}
MIB = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the larger Llama")
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {"sampling": [], "training": []}
    lower: list[float] = []
    print("model       phase      estimate, MB        measured, MB  upper end / measured")
    with models(["starter", *list(LLAMAS)[: 1 if options.quick else 2]]) as found:
        for name, model in found.items():
            for need, measured in compare(model):
                ratio = need.most / (measured * MIB)
                ratios[need.phase].append(ratio)
                lower.append(need.least / (measured * MIB))
                print(
                    f"{name:<11} {need.phase:<9} {need.least / MIB:>7.0f} to "
                    f"{need.most / MIB:<7.0f} {measured:>12.0f} {ratio:>14.2f}"
                )
    claims = [Claim("lower_end_ratio_max", max(lower), ceiling=1.0)]  # it alone refuses a run
    for phase, values in ratios.items():
        claims.append(Claim(f"{phase}_estimate_ratio", min(values), floor=1.0))
        claims.append(Claim(f"{phase}_estimate_ratio_max", max(values), ceiling=3.0))
    return finish(claims)


@contextmanager
def models(names: list[str]) -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        yield {
            name: name if name == "starter" else in_child(make_llama, name, folder)
            for name in names
        }


def make_llama(name: str, folder: str) -> str:
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    hidden, layers, vocabulary = LLAMAS[name]
    out = Path(folder) / name
    AutoTokenizer.from_pretrained(resolve_model("starter")).save_pretrained(out)
    shape = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        eos_token_id=1,
        pad_token_id=0,
    )
    LlamaForCausalLM(shape).save_pretrained(out)
    return str(out)


def compare(model: str) -> Iterator[tuple[Need, float]]:
    config = RefineConfig.for_model("starter", max_train=40, max_heldout=20).model_copy(
        update={"model": model}
    )
    tasks = select_tasks(load_tasks("starter"), config)
    needs = estimate(read_shape(model), facts_of(tasks), config, look()).needs
    by_phase = {need.phase: need for need in needs}
    mine = [task for task in tasks if task.split == "train"]
    yield by_phase["sampling"], in_child(sample, config, mine)
    yield by_phase["training"], in_child(train, config, mine)


def sample(config: RefineConfig, tasks: list[Task]) -> float:
    """One full batch; the peak of resident memory, in MB."""
    from codelutra.generation import Chunk, GenerationRequest, load_generator

    policy = load_generator(config.generation.model_dump(), resolve_model(config.model), "")
    mine = config.sampling
    request = GenerationRequest(
        mine.num_samples, mine.temperature, mine.top_p, mine.max_new_tokens, config.seed
    )
    prompts = tuple(task.prompt for task in tasks[: mine.batch_size // mine.num_samples])
    for _number, drawn in policy.generate([Chunk(0, prompts)], request):
        assert len(drawn) == len(prompts)
    return _peak_mb()


def train(config: RefineConfig, tasks: list[Task]) -> float:
    """Two steps of a task's pairs each, programs as long as they may be; the peak, in MB."""
    from transformers import AutoTokenizer

    from codelutra.training.trainer import train as train_here

    tokenizer = AutoTokenizer.from_pretrained(resolve_model("starter"))
    golds = tokenizer("".join(task.gold + "\n" for task in load_tasks("starter")))["input_ids"]
    long = config.sampling.max_new_tokens - 1
    texts = [tokenizer.decode(golds[n * long : (n + 1) * long]) for n in range(22)]
    pairs: list[dict[str, Any]] = []
    for number, task in enumerate(tasks[:2]):
        good, bad = texts[number * 11 :][:5], texts[number * 11 + 5 :][:6]
        for index in range(config.pairing.max_pairs):
            sides = {"chosen": good[index % 5], "rejected": bad[index % 6]}
            pairs.append({"task_id": task.task_id, "prompt": task.prompt, **sides})
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "model": resolve_model(config.model),
            "parent": "",
            "chat_template": config.chat_template,
            "pairs": pairs,
            "training": config.training.model_copy(update={"epochs": 1}).model_dump(mode="json"),
            "seed": config.seed,
            "in_order": False,
            "out": f"{folder}/adapter",
            "work": f"{folder}/work",
        }
        train_here(job, lambda _: None)
    return _peak_mb()


if __name__ == "__main__":
    sys.exit(main())
