"""How much faster are prefix-shared batches than stock TRL's? `python -m benchmarks.training
[--quick]`

Ten pairs of five correct and five incorrect programs a task, behind prompts of 64, 512 and 1,024
tokens; programs of 8 to 64 tokens. Both trainers, ours with its pass over the reference, each in a
process of its own, in rounds by turns; medians. The model is the starter in float32; with an NVIDIA
GPU, a random one of Llama-3-8B's shape in bfloat16.
"""

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from benchmarks.claims import Claim, finish
from codelutra import phase_imports  # noqa: F401  # loaded once, before processes are forked
from codelutra.config import RefineConfig, TrainingConfig
from codelutra.models import resolve_model
from codelutra.tasks import load_tasks

LENGTHS = {64: 3.0, 512: 8.0, 1024: 8.0}  # tokens of a prompt -> how many times stock, at least
NUM_TASKS = {64: 8, 512: 2, 1024: 2}  # one step each
PAIRS_A_TASK = 10
LONGEST = 64  # tokens of a completion
Pair = dict[str, str]


@dataclass(frozen=True)
class Run:
    """One training: wall seconds a pair, the peak of memory in MB, and its tokens."""

    seconds: float
    peak_mb: float
    stock_tokens: int
    run_tokens: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds of half the tasks")
    options = parser.parse_args()
    rounds = 2 if options.quick else 5
    claims = []
    print("prompt  tokens run        stock          shared         times        peak memory")
    for length, floor in LENGTHS.items():
        num_tasks = NUM_TASKS[length] // (2 if options.quick else 1)
        pairs = make_pairs(length, num_tasks, seed=length)
        found: dict[str, list[Run]] = {"stock": [], "shared": []}
        for _ in range(rounds):
            for name, runs in found.items():
                runs.append(in_child(measure, pairs, name))
        claims += _compare(length, floor, found)
    error = in_child(relative_error, make_pairs(512, 2, seed=0))
    return finish([*claims, Claim("gradient_relative_error", error, ceiling=1e-5)])


def _compare(length: int, floor: float, found: dict[str, list[Run]]) -> list[Claim]:
    stock, shared = found["stock"], found["shared"]
    ratios = [one.seconds / other.seconds for one, other in zip(stock, shared, strict=True)]
    seconds = [median(run.seconds for run in runs) for runs in (stock, shared)]
    peaks = [max(run.peak_mb for run in runs) for runs in (stock, shared)]
    tokens = shared[0]
    print(
        f"{length:>6}  {tokens.stock_tokens:>6} -> {tokens.run_tokens:<6}"
        f"{1 / seconds[0]:>7.2f} pairs/s{1 / seconds[1]:>7.1f} pairs/s"
        f"{median(ratios):>7.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        f"  {peaks[0]:.0f} -> {peaks[1]:.0f} MB"
    )
    return [
        Claim(f"prefix_{length}", median(ratios), floor=floor),
        Claim(f"peak_memory_{length}", peaks[1] / peaks[0], ceiling=1.0),
    ]


def make_pairs(length: int, num_tasks: int, seed: int) -> list[Pair]:
    """Prompts of `length` tokens, made of the starter's own; programs cut from its golds."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve_model("starter"))
    rng = random.Random(seed)
    tasks = load_tasks("starter")

    def text(wanted: int, kind: str) -> str:
        whole = "".join(getattr(task, kind) + "\n" for task in rng.sample(tasks, 60))
        return str(tokenizer.decode(tokenizer(whole)["input_ids"][:wanted]))

    pairs = []
    for number in range(num_tasks):
        prompt = text(length, "prompt") + "\n"
        programs = [text(rng.randint(8, LONGEST - 1), "gold") for _ in range(10)]
        both = list(product(programs[:5], programs[5:]))
        pairs += [
            {"task_id": str(number), "prompt": prompt, "chosen": good, "rejected": bad}
            for good, bad in rng.sample(both, PAIRS_A_TASK)
        ]
    return pairs


def measure(pairs: Sequence[Pair], name: str) -> Run:
    model = _model()
    with tempfile.TemporaryDirectory() as folder:
        trainer = (_shared if name == "shared" else _stock)(model, pairs, Path(folder))
        started = monotonic()
        if name == "shared":
            trainer._add_reference()  # once more: what stock does in every step
        trainer.train()
        seconds = (monotonic() - started) / len(pairs)
    tokens = getattr(trainer, "facts", {"stock_tokens": 0, "run_tokens": 0})
    return Run(seconds, _peak_mb(), tokens["stock_tokens"], tokens["run_tokens"])


def relative_error(pairs: Sequence[Pair]) -> float:
    """The largest of the relative differences of the loss and of each LoRA gradient."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        stock = _stock(_model(), pairs, Path(folder))
        torch.manual_seed(0)
        shared = _shared(_model(), pairs, Path(folder))
    rows = [row for step in shared.train_dataset for row in step]
    plain = [{n: v for n, v in row.items() if not n.startswith("ref_")} for row in rows]
    shared.current_gradient_accumulation_steps = 1
    loss = stock.compute_loss(stock.model, stock._prepare_inputs(stock.data_collator(plain)))
    loss.backward()
    other = shared.training_step(shared.model, shared._collate([rows]))
    theirs, ours = (
        {n: p.grad for n, p in t.model.named_parameters() if p.grad is not None}
        for t in (stock, shared)
    )
    assert theirs.keys() == ours.keys()
    errors = [((ours[n] - g).norm() / g.norm()).item() for n, g in theirs.items() if g.norm() > 0]
    return max([abs(other.item() - loss.item()) / abs(loss.item()), *errors])


def _config() -> TrainingConfig:
    return TrainingConfig(batch_size=PAIRS_A_TASK, max_length=2048, precision=_precision())


def _precision() -> Any:
    import torch

    return "bfloat16" if torch.cuda.is_available() else "float32"


def _model() -> Any:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    if not torch.cuda.is_available():
        return AutoModelForCausalLM.from_pretrained(resolve_model("starter"), dtype=torch.float32)
    shape = LlamaConfig(  # Llama-3-8B's
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
    )
    with torch.device("cuda"):
        return AutoModelForCausalLM.from_config(shape, dtype=torch.bfloat16)


def _parts(folder: Path, batch_size: int) -> tuple[Any, Any, Any]:
    """TRL's arguments, the tokenizer and a LoRA; the stock batch is a step's pairs."""
    from transformers import AutoTokenizer

    from codelutra.training.policy import lora_config
    from codelutra.training.trainer import trl_arguments

    seed = RefineConfig().seed
    arguments = trl_arguments(_config(), {"work": str(folder), "seed": seed})
    arguments.per_device_train_batch_size = batch_size
    tokenizer = AutoTokenizer.from_pretrained(resolve_model("starter"))
    return arguments, tokenizer, lora_config(_config())


def _stock(model: Any, pairs: Sequence[Pair], folder: Path) -> Any:
    from datasets import Dataset
    from trl import DPOTrainer

    arguments, tokenizer, lora = _parts(folder, PAIRS_A_TASK)
    return DPOTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(list(pairs)),
        processing_class=tokenizer,
        peft_config=lora,
    )


def _shared(model: Any, pairs: Sequence[Pair], folder: Path) -> Any:
    from codelutra.training.dual_trainer import DualTrainer

    arguments, tokenizer, lora = _parts(folder, 1)
    trainer = DualTrainer(
        _config(), arguments, model=model, pairs=pairs, tokenizer=tokenizer, lora=lora
    )
    assert trainer.facts["fallback"] == ""
    return trainer


def _peak_mb() -> float:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def in_child(function: Callable[..., Any], *args: Any) -> Any:
    """Its result from a process of its own, forked before torch has started any thread."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_call, args=(sender, function, args))
    child.start()
    sender.close()
    result = receiver.recv()
    child.join()
    return result


def _call(sender: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    import datasets

    datasets.disable_progress_bars()
    sender.send(function(*args))


if __name__ == "__main__":
    sys.exit(main())
