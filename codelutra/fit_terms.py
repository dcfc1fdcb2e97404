"""The terms of a run's memory and disk, each with its reason: pure arithmetic on sizes.

Every term is a span: `least` is taken whatever the tasks are, `most` when every text is as long as
it may be. What the sums give against what is used is printed by `python -m benchmarks.fit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from codelutra.config import RefineConfig
from codelutra.machine import Machine
from codelutra.model_shape import ModelShape
from codelutra.tasks.task import Task

MIB = 1 << 20
CHARS_PER_TOKEN = 3.0  # of code and its comments; the starter's tokenizer has 3.7 (2.9 to 5)
# Python and its libraries, resident; measured on Linux x86-64 with torch 2.13 for the CPU.
LIBRARIES = {"sampling": 440 * MIB, "training": 520 * MIB}
# glibc's heap keeps freed blocks between those in use: resident beyond what the backward pass
# holds, 1.8 times as much (counted with saved_tensors_hooks, two models).
CPU_HEAP = 2.0
CUDA_CONTEXT = 600 * MIB  # kernels and workspaces of one process (ours; not measured yet)
LM_HEAD_TOKENS, LM_HEAD_WORDS = 4096, 32768  # TRL's tile of logits (kernels/chunked_logprob.py)
FOUR_BIT = 0.516  # bytes a weight: 4 bits and 0.127 of constants (QLoRA, arXiv 2305.14314)


@dataclass(frozen=True)
class TaskFacts:
    """What the estimate knows of the tasks; lengths in tokens."""

    num_train: int
    num_validation: int
    num_heldout: int
    longest_prompt: int
    median_prompt: int
    median_gold: int


@dataclass(frozen=True)
class Part:
    """One term of a sum, in bytes, and why it is there."""

    name: str
    least: float
    most: float
    why: str


def facts_of(tasks: Sequence[Task]) -> TaskFacts:
    splits = [task.split for task in tasks]
    prompts = [_tokens(task.prompt) for task in tasks] or [0]
    return TaskFacts(
        num_train=splits.count("train"),
        num_validation=splits.count("validation"),
        num_heldout=splits.count("heldout"),
        longest_prompt=max(prompts),
        median_prompt=round(median(prompts)),
        median_gold=round(median([_tokens(task.gold) for task in tasks] or [0])),
    )


@dataclass(frozen=True)
class Batch:
    """Prompts that are read at once, programs written after each, and their longest in tokens."""

    prompts: int
    programs: int
    long: int


def generating_moments(
    shape: ModelShape, facts: TaskFacts, batch: Batch, dtype: str, machine: Machine
) -> list[list[Part]]:
    """Loading, then decoding a full batch with a cache that grows to its longest."""
    size = _bytes(dtype, machine)
    rows = batch.prompts * batch.programs
    cache = shape.kv_bytes_per_token(size)
    layer = (6 * shape.hidden + 3 * shape.intermediate) * size
    # In float32 after the model's own type: itself, scaled, as probabilities; where the likeliest
    # few do not hold the nucleus also sorted with its order, summed and masked.
    drawing, sorting = (12, 28) if batch.programs > 1 else (4, 0)
    base = _base("sampling", machine)
    decoding = [
        base,
        same("weights", size * shape.parameters, f"{size} bytes a parameter, adapter merged in"),
        Part(
            "KV cache",
            rows * facts.median_prompt * cache,
            # Growing copies a layer's part while the old one is still there.
            rows * (facts.longest_prompt + batch.long) * cache * (1 + 1 / shape.layers),
            f"{cache:,} bytes a token, {rows} programs at once",
        ),
        Part(
            "logits",
            rows * shape.vocabulary * (size + drawing),
            rows * shape.vocabulary * (size + drawing + sorting),
            "of the next token of each program, and their nucleus",
        ),
        Part(
            "prompts",
            0,
            batch.prompts * facts.longest_prompt * layer,
            "a layer's values of all prompts of a batch",
        ),
    ]
    # On a CPU the adapter is merged in float32, before the weights are rounded once.
    loading = [base, same("weights", (size if machine.gpu else 4) * shape.parameters, "loading")]
    return [decoding, loading]


def training_parts(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> list[Part]:
    """Weights, LoRA with its optimiser, and the values kept for the backward pass."""
    training = config.training
    is_bfloat16 = _bytes(training.precision, machine) == 2
    size = 2 if is_bfloat16 else 4
    lora = shape.lora_parameters(training.lora_rank)
    least, most, tree = _step_tokens(facts, config)
    is_saving = {"auto": bool(machine.gpu), "on": True, "off": False}[
        training.gradient_checkpointing
    ]
    # A layer keeps for its backward pass: two norms with their outputs (4 hidden), queries, keys,
    # values and their attention (keys and values repeated for every head), gate, its activation,
    # the other branch and their product (4 intermediate), and LoRA's low ranks. In bfloat16 the
    # norms stay in float32 and each LoRA has a rounded input of its own.
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    inner = 4 * queries + 2 * keys + 4 * shape.intermediate + 14 * training.lora_rank
    kept = 20 * shape.hidden + 2 * inner if is_bfloat16 else 4 * (4 * shape.hidden + inner)
    a_token = shape.hidden * size * shape.layers + kept if is_saving else kept * shape.layers
    a_token += (2 * shape.hidden + 3 * shape.intermediate) * size  # gradients on their way
    masks = 1 if is_saving else shape.layers  # each has an additive copy of the one of booleans
    heap = 1.0 if machine.gpu else CPU_HEAP
    head = min(shape.vocabulary, LM_HEAD_WORDS) * 4
    return [
        _base("training", machine),
        _weights(shape, config, machine, size),
        same("LoRA", 20 * lora, "float32: weight, gradient, two Adam moments; the reference"),
        Part(
            "activations",
            least * a_token,
            heap * most * a_token,
            f"{least:,} to {most:,} tokens at once"
            + (", a layer at a time" if is_saving else ", of every layer"),
        ),
        Part(
            "attention mask",
            least * least * (1 + size * masks),
            heap * most * tree * (1 + size * masks),
            "which token of a task's tree sees which",
        ),
        # Logits are made in tiles, forward and backward, and never all at once.
        Part(
            "LM head",
            2 * min(least, LM_HEAD_TOKENS) * head + least * shape.hidden * 4,
            heap * (2 * min(most, LM_HEAD_TOKENS) * head + most * shape.hidden * 4),
            "TRL's fused head, in tiles",
        ),
    ]


def _weights(shape: ModelShape, config: RefineConfig, machine: Machine, size: int) -> Part:
    if config.training.load_in_4bit:
        rest = shape.parameters - shape.linear_parameters
        total = FOUR_BIT * shape.linear_parameters + 4 * rest
        return same("weights", total, "4 bits a parameter, embeddings and head in float32")
    if machine.gpu:
        return same("weights", size * shape.parameters, f"{size} bytes a parameter, frozen")
    if size == 2:  # float32 under autocast, which keeps a rounded copy for the backward pass
        return Part(
            "weights", 4 * shape.parameters, 6 * shape.parameters, "float32, and rounded copies"
        )
    return same("weights", 4 * shape.parameters, "4 bytes a parameter, frozen")


def _step_tokens(facts: TaskFacts, config: RefineConfig) -> tuple[int, int, int]:
    """Tokens run at once: of one pair of short programs; of the largest step; of a task's tree."""
    training, pairing = config.training, config.pairing
    prompt = min(facts.longest_prompt, training.max_length)
    long = min(config.sampling.max_new_tokens, training.max_length - prompt)
    drawn = config.sampling.num_samples + 1  # and the gold
    texts = min(2 * pairing.max_pairs, drawn)
    tree = prompt + texts * long
    if training.share_prefixes == "never":
        longest = (training.batch_size - 1 + pairing.max_pairs) * 2 * (prompt + long)
    else:
        # Whole tasks, until there are enough pairs: of many pairs each, or of a single one.
        whole = -(-training.batch_size // pairing.max_pairs)
        longest = max(whole * tree, training.batch_size * (prompt + 2 * long))
    least = min(facts.median_prompt, training.max_length) + 2 * facts.median_gold
    most = min(longest, max(training.max_tokens, 2 * (prompt + long)))
    return min(least, most), most, min(tree, most)


def disk_parts(shape: ModelShape, facts: TaskFacts, config: RefineConfig) -> list[Part]:
    """Of CODELUTRA_HOME: adapters, checkpoints and the rows of programs and pairs."""
    lora = shape.lora_parameters(config.training.lora_rank)
    rounds = config.iterations
    scored = facts.num_validation + facts.num_heldout
    drawn = facts.num_train * config.sampling.num_samples
    extra = facts.num_train * config.sampling.extra_samples * 2
    text = config.sampling.max_new_tokens * CHARS_PER_TOKEN
    rows = rounds * drawn + (rounds + 1) * scored
    return [
        same("adapters", rounds * 4 * lora, "float32, one an iteration"),
        # Each with both moments of Adam; the oldest goes after the newest is whole.
        Part("checkpoints", 0, 3 * 12 * lora, "of a training under way, up to three"),
        # A row has indexes and a verdict beside its text; a pair has two texts.
        Part("programs", rows * 300, (rows + rounds * extra) * (600 + 3 * text), "and pairs"),
    ]


def _base(phase: str, machine: Machine) -> Part:
    if machine.gpu:
        return same("CUDA", CUDA_CONTEXT, "its context and workspaces")
    return same("libraries", LIBRARIES[phase], "Python, torch and their like")


def same(name: str, size: float, why: str) -> Part:
    return Part(name, size, size, why)


def _bytes(dtype: str, machine: Machine) -> int:
    """Of a value; auto is bfloat16 where the processor is fast at it."""
    if dtype == "auto":
        return 2 if machine.has_bfloat16 else 4
    return 2 if dtype == "bfloat16" else 4


def _tokens(text: str) -> int:
    return -(-len(text) // int(CHARS_PER_TOKEN))
