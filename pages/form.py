"""The settings form: its fields come from `RefineConfig`, its values become a queued run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from codelutra.config import MODEL_DEFAULTS, OpenAIBackend, RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.fit import check
from codelutra.smoke import smoke_of
from codelutra.tasks import load_tasks, select_tasks
from codelutra.tasks.quarantine import leave_out_quarantined
from storage import db, jobs

ADVANCED: dict[str, str] = {  # path in RefineConfig -> label
    "sampling.num_samples": "Samples per task",
    "sampling.temperature": "Temperature",
    "pairing.max_pairs": "Pairs per task",
    "training.mode": "Loss",
    "training.beta": "Beta",
    "training.sft_weight": "SFT weight",
    "training.reference": "Reference",
    "training.learning_rate": "Learning rate",
    "training.learning_rate_decay": "Decay of the rate",
    "training.epochs": "Epochs",
    "training.batch_size": "Pairs per step",
    "training.lora_rank": "LoRA rank",
    "training.max_length": "Longest pair",
    "stop": "Stop rule",
    "patience": "Patience",
    "sampling.batch_size": "Programs at once",
    "evaluation.batch_size": "Evaluated at once",
    "training.max_tokens": "Tokens at once",
    "training.gradient_checkpointing": "Recompute",
    "training.load_in_4bit": "Base in 4 bits",
    "generation.backend": "Sampling with",
    "generation.base_urls": "Servers",
    "seed": "Seed",
    "max_train": "Training tasks",
    "validation_share": "Validation share",
    "max_heldout": "Held-out tasks",
}
LABELS = {"tasks": "Task set", "model": "Model", "iterations": "Iterations"} | ADVANCED
BACKENDS = ("transformers", "vllm", "openai")
BACKENDS_HELP = "transformers runs anywhere, vllm needs a GPU, openai asks the servers below"


@dataclass(frozen=True)
class FormField:
    """What a widget needs to know of one setting."""

    path: str
    label: str
    info: str
    value: Any
    choices: tuple[str, ...] = ()  # empty: a number, or a text where the value is one
    whole: bool = False


def form_fields(model: str) -> list[FormField]:
    """The advanced settings with the defaults that suit `model`."""
    config = RefineConfig.for_model(model)
    return [_field(config, path, label) for path, label in ADVANCED.items()]


def model_dependent() -> list[str]:
    """Paths of the advanced settings whose default is not the same for every model."""
    usual = [field.value for field in form_fields("another model")]
    special = [[field.value for field in form_fields(model)] for model in MODEL_DEFAULTS]
    columns = zip(ADVANCED, usual, *special, strict=True)
    return [path for path, *values in columns if any(value != values[0] for value in values)]


def build_config(values: Mapping[str, Any]) -> RefineConfig:
    """`values` maps paths such as `training.beta` to what was filled in; raises CodeLutraError."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value.strip() if isinstance(value, str) else value
    model = nested.pop("model", None) or ""
    generation = nested.get("generation", {})
    if generation.get("backend") != "openai":
        generation.pop("base_urls", None)
    try:
        return RefineConfig.for_model(model, **nested)
    except ValidationError as error:
        raise CodeLutraError(explain(error)) from error


def explain(error: ValidationError) -> str:
    """Every field that is wrong, by its label: what is wrong and what was given."""
    parts = []
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"])
        given = problem["input"]
        shown = "nothing" if given in (None, "") else repr(given)
        parts.append(f"{LABELS.get(path, path)}: {_plain(problem['msg'])} (given: {shown})")
    return "; ".join(parts)


def in_labels(line: str) -> str:
    """Settings that the engine names, sampling.batch_size=10, by what they are called here."""
    for path, label in ADVANCED.items():
        line = line.replace(f"{path}=True", f"{label}: on").replace(f"{path}=", f"{label}: ")
    return line


def queue_run(values: Mapping[str, Any], *, smoke: bool = False) -> int:
    """Check everything that can be checked now, then queue; raises before anything is stored."""
    config = leave_out_quarantined(build_config(values))
    if smoke:
        config = smoke_of(config)
    tasks = select_tasks(load_tasks(config.tasks), config)
    check(config, tasks)
    num_tasks = Counter(task.split for task in tasks)
    with db.open_session() as session:
        run = jobs.submit(
            session,
            config=config.model_dump(mode="json"),
            name=_name(config),
            num_train=num_tasks["train"],
            num_validation=num_tasks["validation"],
            num_heldout=num_tasks["heldout"],
        )
    assert run.id is not None
    return run.id


def _differ(values: list[Any]) -> bool:
    return any(value != values[0] for value in values)


def _name(config: RefineConfig) -> str:
    tasks = config.tasks.rsplit("/", 1)[-1]
    model = config.model.rstrip("/").rsplit("/", 1)[-1]
    name = model if model == tasks else f"{model} on {tasks}"
    return f"{name}: smoke test" if config.smoke else name


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _field(config: RefineConfig, path: str, label: str) -> FormField:
    if path == "generation.backend":
        return FormField(path, label, BACKENDS_HELP, config.generation.backend, BACKENDS)
    if path == "generation.base_urls":
        help_text = OpenAIBackend.model_fields["base_urls"].description
        return FormField(path, label, help_text or "", "")
    owner: BaseModel = config
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    info: FieldInfo = type(owner).model_fields[name]
    literal = get_origin(info.annotation) is Literal
    return FormField(
        path=path,
        label=label,
        info=info.description or "",
        value=getattr(owner, name),
        choices=get_args(info.annotation) if literal else (),
        whole=info.annotation is int,
    )
