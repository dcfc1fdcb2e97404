"""Whether a run fits on this machine: memory and disk from the model's shape and the settings.

The terms are in `fit_terms.py`. No torch: the web process asks, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from codelutra.backends import check_backend, check_here
from codelutra.config import RefineConfig, VllmBackend
from codelutra.errors import CodeLutraError, ModelError
from codelutra.fit_terms import (
    LIBRARIES,
    Batch,
    Part,
    TaskFacts,
    disk_parts,
    facts_of,
    generating_moments,
    same,
    training_parts,
    vllm_parts,
)
from codelutra.machine import Machine, look
from codelutra.model_shape import ModelShape, read_shape
from codelutra.models import check_model
from codelutra.tasks.task import Task

GIB = 1 << 30
MIB = 1 << 20
MARGIN = 0.15  # on top of `most`: blocks of an allocator that are free but of the wrong size
UNSAID = 256  # tokens of the longest completion, where the golds will decide
TIGHT = 0.9  # of what is free: above it another program's appetite decides


class DoesNotFit(CodeLutraError):
    """A run would certainly end for lack of memory or disk."""


@dataclass(frozen=True)
class Need:
    """What one phase takes of one place, and what there is of it, in bytes."""

    phase: str
    place: str  # GPU memory, memory, or a disk
    parts: tuple[Part, ...]
    total: int
    free: int
    advice: tuple[str, ...] = ()  # settings that would lower it, the most helpful first
    is_fixed: bool = False  # taken whole at the start and no more later, whatever is written

    @property
    def least(self) -> int:
        return round(sum(part.least for part in self.parts))

    @property
    def most(self) -> int:
        if self.is_fixed:
            return self.least
        return round((1 + MARGIN) * sum(part.most for part in self.parts))

    @property
    def state(self) -> str:
        """`no`: cannot fit; `busy`: not beside what is loaded now; `tight`; `yes`."""
        if self.least > self.total:
            return "no"
        if self.least > self.free:
            return "busy"
        return "tight" if self.most > TIGHT * self.free and not self.is_fixed else "yes"


@dataclass(frozen=True)
class Estimate:
    """Everything a run takes but its time, which nothing but a measurement can tell."""

    shape: ModelShape
    facts: TaskFacts
    config: RefineConfig
    machine: Machine
    needs: tuple[Need, ...]

    @property
    def num_samples(self) -> int:
        """Training programs of all iterations, without the extra ones of a low yield."""
        return self.config.iterations * self.facts.num_train * self.config.sampling.num_samples

    @property
    def warnings(self) -> list[str]:
        return [shortage(need) for need in self.needs if need.state in ("no", "busy", "tight")]


def estimate(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> Estimate:
    """The needs of every phase of a run, each with what would lower it."""
    needs = [
        replace(need, advice=_advice(need, shape, facts, config, machine))
        for need in _memory(shape, facts, config, machine) + _disk(shape, facts, config, machine)
    ]
    return Estimate(shape, facts, config, machine, tuple(needs))


def check(config: RefineConfig, tasks: Sequence[Task]) -> list[str]:
    """What speaks against a run, [] if nothing; ModelError or DoesNotFit when it cannot be."""
    check_here()
    check_model(config.model)
    check_backend(config)
    try:
        shape = read_shape(config.model)
    except ModelError as error:
        return [f"what the run needs is unknown: {error}"]
    found = estimate(shape, facts_of(tasks), config, look())
    refuse(found)
    return found.warnings


def refuse(found: Estimate) -> None:
    """Raise DoesNotFit, in one line, when even the least that a run takes is not there."""
    for need in found.needs:
        if need.state == "no":
            raise DoesNotFit(shortage(need))


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= 0.05 * GIB else f"{size / MIB:.0f} MiB"


def shortage(need: Need) -> str:
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
    sampling, evaluation = config.sampling, config.evaluation
    num = sampling.num_samples
    drawn = min(max(1, sampling.batch_size // num), max(1, facts.num_train))
    scored = min(evaluation.batch_size, max(1, facts.num_validation + facts.num_heldout))
    batches = {
        "sampling": Batch(drawn, num, sampling.max_new_tokens or UNSAID),
        "evaluation": Batch(scored, 1, evaluation.max_new_tokens or UNSAID),
    }
    if not config.iterations:  # the base is scored, and that is all
        del batches["sampling"]
    if isinstance(config.generation, VllmBackend):
        needs += [_of_vllm(phase, shape, config.generation, machine) for phase in batches]
        batches = {}
    if str(config.generation.backend) == "openai":  # another process, or machine, has the model
        batches = {}
    dtype = getattr(config.generation, "dtype", "auto")
    phases = {
        phase: generating_moments(shape, facts, batch, dtype, machine)
        for phase, batch in batches.items()
    }
    if config.iterations:
        phases["training"] = [training_parts(shape, facts, config, machine)]
    for phase, moments in phases.items():
        where = (machine.device, moments, machine.device_total, machine.device_free)
        needs.append(_peak(phase, *where))
    if machine.gpu:
        weights = Part(
            "weights", 2 * shape.parameters, 2 * shape.parameters, "read before they are moved"
        )
        libraries = same("libraries", LIBRARIES["training"], "Python, torch and their like")
        needs.append(
            Need("loading", "memory", (weights, libraries), machine.memory_total,
                 machine.memory_free)
        )  # fmt: skip
    return needs


def _of_vllm(phase: str, shape: ModelShape, backend: VllmBackend, machine: Machine) -> Need:
    """On a GPU it takes its share whole; what it cannot start without must lie within it."""
    parts = vllm_parts(shape, backend, machine)
    if not machine.gpu:
        return Need(phase, machine.device, tuple(parts), machine.device_total, machine.device_free)
    share = round(backend.gpu_memory_utilization * machine.gpu_total)
    rest = share - sum(part.least for part in parts)
    if rest < 0:
        setting = f"generation.gpu_memory_utilization={backend.gpu_memory_utilization:g}"
        place = f"the GPU memory that {setting} gives vLLM"
        return Need(phase, place, tuple(parts), share, min(share, machine.gpu_free), is_fixed=True)
    why = f"generation.gpu_memory_utilization={backend.gpu_memory_utilization:g}, for KV cache"
    parts.append(same("reserved", rest, why))
    return Need(
        phase, machine.device, tuple(parts), machine.gpu_total, machine.gpu_free, is_fixed=True
    )


def _peak(phase: str, place: str, moments: list[list[Part]], total: int, free: int) -> Need:
    """Of moments that come one after the other the largest counts."""
    needs = [Need(phase, place, tuple(parts), total, free) for parts in moments]
    return max(needs, key=lambda need: (need.least, need.most))


def _disk(
    shape: ModelShape, facts: TaskFacts, config: RefineConfig, machine: Machine
) -> list[Need]:
    parts, free = tuple(disk_parts(shape, facts, config)), machine.home_free
    needs = [Need("the run", "disk in CODELUTRA_HOME", parts, free, free)]
    if not shape.is_here:
        part, free = same("download", shape.file_bytes, "the model's weights"), machine.hub_free
        needs.append(Need("downloading the model", "disk of the Hub cache", (part,), free, free))
    return needs


BATCHES = (100, 50, 20, 10, 5, 1)
_ENGINE: dict[str, tuple[Any, ...]] = {
    "generation.dtype": ("bfloat16",),
    "generation.gpu_memory_utilization": (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2),
    "generation.max_model_len": (4096, 2048, 1024),
}
# What a person can turn, by phase: a setting and its values, the mildest first.
_TURNS: dict[str, dict[str, tuple[Any, ...]]] = {
    "sampling": {"sampling.batch_size": BATCHES, **_ENGINE},
    "evaluation": {"evaluation.batch_size": BATCHES, **_ENGINE},
    "training": {
        "training.load_in_4bit": (True,),
        "training.gradient_checkpointing": ("on",),
        "training.max_tokens": (8192, 4096, 2048, 1024),
        "training.lora_rank": (8, 4),
        "training.precision": ("bfloat16",),
    },
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
    saved: dict[str, int] = {}
    best: dict[str, str] = {}
    is_enough = False
    for path, values in _TURNS.get(need.phase, {}).items():
        if path.endswith("load_in_4bit") and not machine.gpu:
            continue
        for value in values:
            turned = _turned(config, path, value)
            if turned is None:
                continue
            others = _memory(shape, facts, turned, machine)
            other = next(found for found in others if found.phase == need.phase)
            saved[path], setting = need.most - other.most, f"{path}={value}"
            if saved[path] > HELPS * need.most:
                best[path] = setting
            is_enough = is_enough or other.state in ("yes", "tight")
            if other.state == "yes":
                break
    helpful = sorted(best.values(), key=lambda setting: -saved[setting.split("=")[0]])
    return (*helpful, "a smaller model") if is_enough else ("a smaller model", *helpful)


def _turned(config: RefineConfig, path: str, value: Any) -> RefineConfig | None:
    """With another value of a setting; None where it has none, or a smaller number already."""
    owner, name = path.split(".")
    section = getattr(config, owner)
    now = getattr(section, name, None)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if path == "sampling.batch_size" and value < config.sampling.num_samples:
        return None  # a task's programs are always drawn together
    if now is None or now == value or (is_number and now < value):
        return None
    return config.model_copy(update={owner: section.model_copy(update={name: value})})
