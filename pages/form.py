"""The settings form: its fields come from `RefineConfig`, its values become queued runs.

A setting without a field of its own is a line of the text MORE, so that the form can hold any
configuration: a file's, a run's, a preset's. What is to be varied makes a run a variant.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from codelutra.ablation import AXES, variant_words, variants, varied
from codelutra.config import MODEL_DEFAULTS, OpenAIBackend, RefineConfig
from codelutra.config_rows import config_rows
from codelutra.config_text import changes_of, nested, parse_settings, problems_of, setting_line
from codelutra.errors import CodeLutraError
from codelutra.fit import check
from codelutra.presets import PRESETS
from codelutra.smoke import smoke_of
from codelutra.tasks import load_tasks, select_tasks
from codelutra.tasks.quarantine import leave_out_quarantined
from storage import ablations, db, jobs

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
    "train_kind": "Trained kind",
    "max_train": "Training tasks",
    "validation_share": "Validation share",
    "max_heldout": "Held-out tasks",
}
FIRST = {
    "tasks": "Task set",
    "model": "Model",
    "iterations": "Iterations",
    "pause_before_training": "Pause before training",
}
LABELS = FIRST | ADVANCED
MORE = "more"  # NAME=VALUE lines
VARY = {path: f"vary.{path}" for path in AXES}  # values with commas
PLAN = "plan"  # of ablation.py: each, all
OF_FORM = (MORE, PLAN, *VARY.values())  # what is no setting of a run
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
    more = parse_settings((values.get(MORE) or "").splitlines())
    given = {
        path: value.strip() if isinstance(value, str) else value
        for path, value in values.items()
        if path not in OF_FORM
    }
    if (given | more).get("generation.backend") != "openai":
        given.pop("generation.base_urls", None)
    settings = nested(given | more)
    model = settings.pop("model", None) or ""
    try:
        return RefineConfig.for_model(model, **settings)
    except ValidationError as error:
        raise CodeLutraError(explain(error)) from error


def form_values(config: RefineConfig) -> dict[str, Any]:
    """What `build_config` makes `config` of, on this machine."""
    rows = {path: value for path, value, _ in config_rows(config)}
    values = {path: rows.get(path, "") for path in LABELS}
    values["generation.base_urls"] = ", ".join(rows.get("generation.base_urls", ()))
    others = {path: value for path, value in changes_of(config).items() if path not in LABELS}
    values[MORE] = "\n".join(setting_line(*each) for each in others.items())
    return values | dict.fromkeys(VARY.values(), "") | {PLAN: "each"}


def preset_values(key: str, tasks: str, model: str) -> dict[str, Any]:
    """A preset on what is chosen, or on its own tasks and model."""
    preset = PRESETS[key]
    values = form_values(preset.config(preset.tasks or tasks, preset.model or model))
    return values | {VARY[path]: ", ".join(map(str, axis)) for path, axis in preset.grid.items()}


def configs_of(values: Mapping[str, Any]) -> list[RefineConfig]:
    """Of the runs that Start queues, one behind the other, with the quarantine of now."""
    config = leave_out_quarantined(build_config(values))
    grid = {
        path: [part.strip() for part in (values.get(name) or "").split(",") if part.strip()]
        for path, name in VARY.items()
    }
    if not any(grid.values()):
        return [config]
    try:
        return variants(config, grid, values.get(PLAN) or "each")
    except ValidationError as error:
        raise CodeLutraError(f"Vary: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Every field that is wrong, by its label: what is wrong and what was given."""
    parts = []
    for path, message, given in problems_of(error):
        shown = "nothing" if given in (None, "") else repr(given)
        parts.append(f"{LABELS.get(path, path)}: {message} (given: {shown})")
    return "; ".join(parts)


def in_labels(line: str) -> str:
    """Settings that the engine names, sampling.batch_size=10, by what they are called here."""
    for path, label in ADVANCED.items():
        line = line.replace(f"{path}=True", f"{label}: on").replace(f"{path}=", f"{label}: ")
    return line


def queue_runs(values: Mapping[str, Any], *, smoke: bool = False) -> list[int]:
    """Check everything that can be checked now, then queue; raises before anything is stored."""
    configs = configs_of(values)
    if smoke:
        configs = [smoke_of(configs[0])]
    every = load_tasks(configs[0].tasks)
    # In memory and on disk they differ by the number of programs alone.
    largest = max(configs, key=lambda config: config.sampling.num_samples)
    check(largest, select_tasks(every, largest))
    paths, run_ids = varied(configs), []
    with db.open_session() as session:
        group = None
        if paths:
            words = " and ".join(AXES[path] for path in paths)
            group = ablations.create(session, name=f"{words}, {_name(configs[0])}")
        for config in configs:
            num_tasks = Counter(task.split for task in select_tasks(every, config))
            run = jobs.submit(
                session,
                config=config.model_dump(mode="json"),
                name=", ".join([_name(config), *variant_words(config, paths)]),
                num_train=num_tasks["train"],
                num_validation=num_tasks["validation"],
                num_heldout=num_tasks["heldout"],
            )
            assert run.id is not None
            run.ablation_id = group.id if group else None
            run_ids.append(run.id)
    return run_ids


def _name(config: RefineConfig) -> str:
    tasks = config.tasks.rsplit("/", 1)[-1]
    model = config.model.rstrip("/").rsplit("/", 1)[-1]
    name = model if model == tasks else f"{model} on {tasks}"
    return f"{name}: smoke test" if config.smoke else name


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
