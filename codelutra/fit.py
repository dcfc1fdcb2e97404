"""Whether a run fits on this machine: memory and disk from the model's shape and the settings.

Formulas, no measurement and no torch: what they give on this machine against what is used is
printed by `python -m benchmarks.fit`. Every amount is a span: `least` is what the run takes
whatever the tasks are, `most` what it takes when every text is as long as it may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.machine import Machine
from codelutra.model_shape import ModelShape
from codelutra.tasks.task import Task

GIB = 1 << 30
MIB = 1 << 20
CHARS_PER_TOKEN = 3.0  # of code and its comments; the starter's tokenizer has 3.7 (2.9 to 5)
# Python and its libraries, resident; measured on Linux x86-64 with torch 2.13 for the CPU.
LIBRARIES = {"sampling": 480 * MIB, "training": 640 * MIB}
CUDA_CONTEXT = 600 * MIB  # kernels and workspaces of one process (ours; not measured yet)
MARGIN = 0.15  # on top of `most`: blocks of an allocator that are free but of the wrong size
LM_HEAD_TOKENS, LM_HEAD_WORDS = 4096, 32768  # TRL's tile of logits (kernels/chunked_logprob.py)
FOUR_BIT = 0.516  # bytes a weight: 4 bits and 0.127 of constants (QLoRA, arXiv 2305.14314)
TIGHT = 0.9  # of what is free: above it another program's appetite decides


class DoesNotFit(CodeLutraError):
    """A run would certainly end for lack of memory or disk."""


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


@dataclass(frozen=True)
class Need:
    """What one phase takes of one place, and what there is of it, in bytes."""

    phase: str
    place: str  # GPU memory, memory, or a disk
    parts: tuple[Part, ...]
    total: int
    free: int
    advice: tuple[str, ...] = ()  # settings that would lower it, the most helpful first

    @property
    def least(self) -> int:
        return round(sum(part.least for part in self.parts))

    @property
    def most(self) -> int:
        return round((1 + MARGIN) * sum(part.most for part in self.parts))

    @property
    def state(self) -> str:
        """`no`: cannot fit; `busy`: not beside what is loaded now; `tight`; `yes`."""
        if self.least > self.total:
            return "no"
        if self.least > self.free:
            return "busy"
        return "tight" if self.most > TIGHT * self.free else "yes"


@dataclass(frozen=True)
class Estimate:
    """Everything a run takes but its time, which nothing but a measurement can tell."""

    shape: ModelShape
    facts: TaskFacts
    config: RefineConfig
    machine: Machine
    needs: tuple[Need, ...] = field(default=())

    @property
    def num_samples(self) -> int:
        """Training programs of all iterations, without the extra ones of a low yield."""
        return self.config.iterations * self.facts.num_train * self.config.sampling.num_samples

    @property
    def warnings(self) -> list[str]:
        return [_shortage(need) for need in self.needs if need.state in ("no", "busy", "tight")]


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


def estimate(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> Estimate:
    """The needs of every phase of a run, each with what would lower it."""
    needs = _memory(shape, facts, config, machine) + _disk(shape, facts, config, machine)
    needs = [
        Need(n.phase, n.place, n.parts, n.total, n.free, _advice(n, shape, facts, config, machine))
        for n in needs
    ]
    return Estimate(shape, facts, config, machine, tuple(needs))


def refuse(found: Estimate) -> None:
    """Raise DoesNotFit, in one line, when even the least that a run takes is not there."""
    for need in found.needs:
        if need.state == "no":
            raise DoesNotFit(_shortage(need))


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= 0.05 * GIB else f"{size / MIB:.0f} MiB"


def _shortage(need: Need) -> str:
    """What needs how much, what there is, what is missing, and what to change."""
    advice = f"; try {', '.join(need.advice)}" if need.advice else ""
    if need.state == "no":
        return (
            f"{need.phase} needs at least {gib(need.least)} of {need.place}, the machine has "
            f"{gib(need.total)}: {gib(need.least - need.total)} are missing{advice}"
        )
    if need.state == "busy":
        return (
            f"{need.phase} needs at least {gib(need.least)} of {need.place}, "
            f"{gib(need.free)} of {gib(need.total)} are free: {gib(need.least - need.free)} are "
            f"missing; end what else uses it{advice.replace('; try', ', or try')}"
        )
    return (
        f"{need.phase} may need up to {gib(need.most)} of {need.place}, {gib(need.free)} are free: "
        f"long programs could exhaust it{advice}"
    )


def _memory(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> list[Need]:
    needs = []
    phases = {
        "sampling": _sampling(shape, facts, config, machine),
        "training": _training(shape, facts, config, machine),
    }
    if str(config.generation.backend) == "openai":  # another machine, or another process, samples
        del phases["sampling"]
    for phase, moments in phases.items():
        where = (machine.device, moments, machine.device_total, machine.device_free)
        needs.append(_peak(phase, *where))
    if machine.gpu:
        weights = Part(
            "weights", 2 * shape.parameters, 2 * shape.parameters, "read before they are moved"
        )
        libraries = _same("libraries", LIBRARIES["training"], "Python, torch and their like")
        needs.append(
            Need("loading", "memory", (weights, libraries), machine.memory_total,
                 machine.memory_free)
        )  # fmt: skip
    return needs


def _peak(phase: str, place: str, moments: list[list[Part]], total: int, free: int) -> Need:
    """Of moments that come one after the other the largest counts."""
    needs = [Need(phase, place, tuple(parts), total, free) for parts in moments]
    return max(needs, key=lambda need: (need.least, need.most))


def _sampling(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> list[list[Part]]:
    """Loading, then decoding a full batch with a cache that grows to its longest."""
    dtype = getattr(config.generation, "dtype", "auto")
    size = _bytes(dtype, machine)
    num, long = config.sampling.num_samples, config.sampling.max_new_tokens
    rows = min(max(1, config.sampling.batch_size // num), max(1, facts.num_train)) * num
    scored = facts.num_validation + facts.num_heldout
    greedy = min(config.evaluation.batch_size, max(1, scored))
    cache = shape.kv_bytes_per_token(size)
    tokens = max(
        rows * (facts.longest_prompt + long),
        greedy * (facts.longest_prompt + config.evaluation.max_new_tokens),
    )
    base = _base("sampling", machine)
    prefill = max(rows // num, greedy) * facts.longest_prompt
    layer = (6 * shape.hidden + 3 * shape.intermediate) * size
    decoding = [
        base,
        _same("weights", size * shape.parameters, f"{size} bytes a parameter, adapter merged in"),
        Part(
            "KV cache",
            rows * facts.median_prompt * cache,
            # Growing copies a layer's part while the old one is still there.
            tokens * cache * (1 + 1 / shape.layers),
            f"{cache:,} bytes a token, {rows} programs at once",
        ),
        # In float32 after the model's own type: scaled, sorted with its order, summed, masked.
        _same("logits", rows * shape.vocabulary * (size + 32), "the nucleus of each program"),
        Part("prompts", 0, prefill * layer, "one layer's values of all prompts of a batch"),
    ]
    # On a CPU the adapter is merged in float32, before the weights are rounded once.
    loading = [base, _same("weights", (size if machine.gpu else 4) * shape.parameters, "loading")]
    return [decoding, loading]


def _training(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> list[list[Part]]:
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
    # values and their attention (2 of queries, 2 of keys, twice when heads are repeated), gate,
    # its activation, the other branch and their product (4 intermediate), LoRA's low ranks.
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    layer = 4 * shape.hidden + 4 * queries + 2 * keys + 4 * shape.intermediate
    layer += 14 * training.lora_rank
    kept = layer * size if not machine.gpu else layer * (size + 2)  # LoRA's inputs in float32, too
    a_token = shape.hidden * size * shape.layers + kept if is_saving else kept * shape.layers
    passing = (2 * shape.hidden + 3 * shape.intermediate) * size  # a layer's gradients, as they go
    head = min(shape.vocabulary, LM_HEAD_WORDS) * 4
    parts = [
        _base("training", machine),
        _weights(shape, config, machine, size),
        _same("LoRA", 20 * lora, "float32: weight, gradient, two Adam moments; the reference"),
        Part(
            "activations",
            least * (a_token + passing),
            most * (a_token + passing),
            f"{least:,} to {most:,} tokens at once"
            + (", a layer at a time" if is_saving else ", of every layer"),
        ),
        Part(
            "attention mask",
            least * least * (1 + size),
            most * tree * (1 + size),
            "which token of a task's tree sees which",
        ),
        # Logits are made in tiles, forward and backward, and never all at once.
        Part(
            "LM head",
            2 * min(least, LM_HEAD_TOKENS) * head + least * shape.hidden * 4,
            2 * min(most, LM_HEAD_TOKENS) * head + most * shape.hidden * 4,
            "TRL's fused head, in tiles",
        ),
    ]
    return [parts]


def _weights(shape: ModelShape, config: RefineConfig, machine: Machine, size: int) -> Part:
    if config.training.load_in_4bit:
        rest = shape.parameters - shape.linear_parameters
        total = FOUR_BIT * shape.linear_parameters + 4 * rest
        return _same("weights", total, "4 bits a parameter, embeddings and head in float32")
    if machine.gpu:
        return _same("weights", size * shape.parameters, f"{size} bytes a parameter, frozen")
    if size == 2:  # float32 under autocast, which keeps a rounded copy for the backward pass
        return Part(
            "weights", 4 * shape.parameters, 6 * shape.parameters, "float32, and rounded copies"
        )
    return _same("weights", 4 * shape.parameters, "4 bytes a parameter, frozen")


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


def _disk(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> list[Need]:
    lora = shape.lora_parameters(config.training.lora_rank)
    rounds = config.iterations
    scored = facts.num_validation + facts.num_heldout
    drawn = facts.num_train * config.sampling.num_samples
    extra = facts.num_train * config.sampling.extra_samples * 2
    text = config.sampling.max_new_tokens * CHARS_PER_TOKEN
    rows = rounds * drawn + (rounds + 1) * scored
    home = [
        _same("adapters", rounds * 4 * lora, "float32, one an iteration"),
        # Each with both moments of Adam; the oldest goes after the newest is whole.
        Part("checkpoints", 0, 3 * 12 * lora, "of a training under way, up to three"),
        # A row has indexes and a verdict beside its text; a pair has two texts.
        Part("programs", rows * 300, (rows + rounds * extra) * (600 + 3 * text), "and pairs"),
    ]
    needs = [Need("the run", "disk in CODELUTRA_HOME", tuple(home), machine.home_free,
                  machine.home_free)]  # fmt: skip
    if not shape.is_here:
        part = _same("download", shape.file_bytes, "the model's weights")
        free = machine.hub_free
        needs.append(Need("downloading the model", "disk of the Hub cache", (part,), free, free))
    return needs


# What a person can turn, in words, and the change of the settings.
_TURNS: dict[str, list[tuple[str, str, Any]]] = {
    "sampling": [
        ("a smaller sampling.batch_size", "sampling.batch_size", 1),
        ("a smaller sampling.max_new_tokens", "sampling.max_new_tokens", 32),
        ("generation.dtype=bfloat16", "generation.dtype", "bfloat16"),
    ],
    "training": [
        ("training.load_in_4bit", "training.load_in_4bit", True),
        ("training.gradient_checkpointing=on", "training.gradient_checkpointing", "on"),
        ("a smaller training.max_tokens", "training.max_tokens", 256),
        ("a smaller training.lora_rank", "training.lora_rank", 4),
        ("training.precision=bfloat16", "training.precision", "bfloat16"),
    ],
}
HELPS = 0.05  # a turn that saves less than this share is not worth a word


def _advice(
    need: Need, shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> tuple[str, ...]:
    """The turns that lower the need, the most helpful first; none where nothing is short."""
    if need.state == "yes":
        return ()
    if "disk" in need.place:
        return ("a disk with more room (CODELUTRA_HOME, HF_HOME)",)
    saved: dict[str, float] = {}
    for words, path, value in _TURNS.get(need.phase, []):
        owner, name = path.split(".")
        section = getattr(config, owner)
        if name not in type(section).model_fields or (name == "load_in_4bit" and not machine.gpu):
            continue
        turned = config.model_copy(update={owner: section.model_copy(update={name: value})})
        others = _memory(shape, facts, turned, machine)
        other = next(found for found in others if found.phase == need.phase)
        saved[words] = need.most - other.most
    helpful = [words for words in saved if saved[words] > HELPS * need.most]
    return (*sorted(helpful, key=lambda words: -saved[words]), "a smaller model")


def _base(phase: str, machine: Machine) -> Part:
    if machine.gpu:
        return _same("CUDA", CUDA_CONTEXT, "its context and workspaces")
    return _same("libraries", LIBRARIES[phase], "Python, torch and their like")


def _same(name: str, size: float, why: str) -> Part:
    return Part(name, size, size, why)


def _bytes(dtype: str, machine: Machine) -> int:
    """Of a value; auto is bfloat16 where the processor is fast at it."""
    if dtype == "auto":
        return 2 if machine.has_bfloat16 else 4
    return 2 if dtype == "bfloat16" else 4


def _tokens(text: str) -> int:
    return -(-len(text) // int(CHARS_PER_TOKEN))
