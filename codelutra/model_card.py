"""The model card of an exported adapter. Every number in it is read from the run's ledger."""

import json
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from codelutra import __version__, card_tables
from codelutra.card_tables import UNKNOWN
from codelutra.config import STARTER
from codelutra.ledger import Ledger
from codelutra.records import Adapter

DESCRIPTION = """\
{what}, made by [CodeLutra](https://arxiv.org/abs/2411.05199): the model wrote programs, they were
executed and graded, and it was trained on pairs of right and wrong ones. It is iteration {number}
of {of}, {parent}. {choice}

**It is** {model} with one set of LoRA weights {where}, {measured}.

**It is not** known to be better anywhere else: other tasks, languages and prompts were not
measured."""

FACTS = """\
- base: {base}, {revision}
- adapter: iteration {number}, sha256 `{sha256}`
- settings of the training and its seed: sha256 `{config_sha256}`
- {licence}"""
LICENCE = "licence: as the base, whose card states `{stated}`; that of the tasks holds, too"
NO_LICENCE = "no licence is stated here: those of the base model and of the tasks hold"

LOAD = """\
```python
{import_peft}from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({base})
model = AutoModelForCausalLM.from_pretrained({base}, dtype="auto"){load_adapter}
prompt = tokenizer("a prompt like those of the task set", return_tensors="pt")
print(tokenizer.decode(model.generate(**prompt, max_new_tokens={tokens})[0]))
```"""

REPORT = "report.md"  # beside the card; as Markdown the Hub shows it


@dataclass(frozen=True)
class Export:
    """What is exported of a run: an iteration's adapter, or the whole model (`is_merged`).

    `best` is the iteration with the best validation score (0: the base), None without any score.
    """

    iteration: int
    adapter: Adapter
    best: int | None
    is_promoted: bool  # what `--iteration promoted` picks
    is_merged: bool = False
    repo: str = ""  # on the Hub, when it is pushed there
    base_licence: str = ""  # as the base's own card states it, where that is known


def is_on_hub(adapter: Adapter) -> bool:
    """Whether its base has a Hub id. A local folder is pinned by the hash of its weights."""
    is_local = adapter.base_model == STARTER or adapter.base_revision.startswith("sha256:")
    return not is_local


def base_name(adapter: Adapter) -> str:
    """A Hub id or `starter` as it is; of a folder its last part: the rest is nobody's business."""
    return adapter.base_model if is_on_hub(adapter) else _last_part(adapter.base_model)


def hub_revision(adapter: Adapter) -> str | None:
    """The Hub commit of the base, None where it is not on the Hub or was not in the cache."""
    return (
        adapter.base_revision if is_on_hub(adapter) and adapter.base_revision != "unknown" else None
    )


def model_card(ledger: Ledger, export: Export) -> str:
    """README.md of the export: YAML front matter and Markdown."""
    last, adapter = export.iteration, export.adapter
    shown = {
        "model": base_name(adapter),
        "tasks": _last_part(ledger.config.tasks),
        "quarantined": f"{len(ledger.config.quarantined):,} tasks",
    }
    tasks, samples = card_tables.data(ledger, last)
    parts = [
        _front_matter(ledger, export),
        f"# {base_name(adapter)}, refined: iteration {last}",
        _description(ledger, export),
        _facts(export),
        "## Measured",
        *card_tables.measured(ledger, last),
        f"The whole run, with what changed from policy to policy: [{REPORT}]({REPORT}).",
        "## Alerts",
        card_tables.alerts(ledger, last),
        "## How to load it",
        _loading(ledger, export),
        "## Data",
        f"Task set `{shown['tasks']}`: {tasks}.",
        samples,
        f"The pairs of iteration {last}: sha256 `{adapter.data_sha256 or UNKNOWN}`.",
        "## Method",
        _method(ledger, adapter),
        "## Settings",
        card_tables.settings(ledger.config, shown),
        f"Written by CodeLutra {__version__}.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(ledger: Ledger, export: Export) -> str:
    """The Hub refuses or wrongly links a `base_model` that is no Hub id: those are left out."""
    method = "sft" if ledger.config.training.mode == "sft" else "dpo"
    tags = ["codelutra", method, "lora", "code"]
    lines = [
        f"library_name: {'transformers' if export.is_merged else 'peft'}",
        "pipeline_tag: text-generation",
        "tags:",
        *(f"- {tag}" for tag in tags),
    ]
    if is_on_hub(export.adapter):
        lines.insert(0, f"base_model: {json.dumps(export.adapter.base_model)}")
    return "\n".join(["---", *lines, "---"])


def _description(ledger: Ledger, export: Export) -> str:
    name = _linked_base(export.adapter)
    return _wrapped(
        DESCRIPTION.format(
            what=f"A whole model, {name} with a LoRA adapter merged into it"
            if export.is_merged
            else f"A LoRA adapter for {name}",
            number=export.iteration,
            of=ledger.config.iterations,
            parent=_parent(ledger, export),
            choice=_choice(export),
            model=base_name(export.adapter),
            where="merged into its own" if export.is_merged else "beside its own",
            measured="measured below on tasks that it was not trained on"
            if ledger.scores(export.iteration)
            else "and was exported before it was measured",
        )
    )


def _facts(export: Export) -> str:
    adapter, revision = export.adapter, hub_revision(export.adapter)
    return FACTS.format(
        base=_linked_base(adapter),
        revision=f"commit `{revision}`" if revision else f"weights `{adapter.base_revision}`",
        number=export.iteration,
        sha256=adapter.sha256,
        config_sha256=adapter.config_sha256 or UNKNOWN,
        licence=LICENCE.format(stated=export.base_licence) if export.base_licence else NO_LICENCE,
    )


def _linked_base(adapter: Adapter) -> str:
    name = base_name(adapter)
    return f"[{name}](https://huggingface.co/{name})" if is_on_hub(adapter) else f"`{name}`"


def _parent(ledger: Ledger, export: Export) -> str:
    parent = export.adapter.parent
    if not parent:
        return "begun on the base model"
    for number in range(1, export.iteration):
        before = ledger.adapter(number)
        if before and before.sha256 == parent:
            return f"continuing the adapter of iteration {number} (sha256 `{parent[:12]}`)"
    return f"continuing the adapter with sha256 `{parent[:12]}`"


def _choice(export: Export) -> str:
    """Why this iteration, and what a score that chose it is worth."""
    if export.best is None and export.is_promoted:
        return "No validation tasks were scored: it is the last iteration that was trained."
    if export.best is None:
        return "No validation tasks were scored: it was chosen by hand."
    if export.best == export.iteration:
        return (
            "Of the run's policies it has the best validation score, which flatters that score; "
            "the held-out tasks chose nothing."
        )
    best = f"iteration {export.best}" if export.best else "the base model"
    return f"It was chosen by hand: on validation tasks {best} scored at least as well."


def _loading(ledger: Ledger, export: Export) -> str:
    mine = json.dumps(export.repo or "path/to/this/folder")
    revision = hub_revision(export.adapter)
    base = json.dumps(
        export.adapter.base_model if is_on_hub(export.adapter) else _local_base(export.adapter)
    ) + (f", revision={json.dumps(revision)}" if revision else "")
    snippet = LOAD.format(
        import_peft="" if export.is_merged else "from peft import PeftModel\n",
        base=mine if export.is_merged else base,
        load_adapter=""
        if export.is_merged
        else f"\nmodel = PeftModel.from_pretrained(model, {mine})",
        tokens=ledger.config.evaluation.max_new_tokens,
    )
    chat = (
        "Where the base has a chat template, the model was trained and measured with each prompt "
        "as one user message in it (`tokenizer.apply_chat_template`); otherwise with the bare text."
        if ledger.config.chat_template == "auto"
        else "It was trained and measured with the bare text of each prompt, no chat template."
    )
    return f"{snippet}\n\n{_wrapped(chat)}"


def _local_base(adapter: Adapter) -> str:
    """Where a person finds a base that is not on the Hub."""
    if adapter.base_model == STARTER:
        return "codelutra/starter/model"  # in a checkout of CodeLutra
    return f"path/to/{base_name(adapter)}"


def _method(ledger: Ledger, adapter: Adapter) -> str:
    config = ledger.config.training
    with_dpo = f"beta {config.beta:g} and, as reference, the {_reference(adapter)}"
    return _wrapped(
        {
            "dual": "`L = L_DPO(chosen, rejected; reference) + sft_weight · NLL(chosen)` with "
            f"sft_weight {config.sft_weight:g}, {with_dpo} (mode `dual`).",
            "dpo": f"`L = L_DPO(chosen, rejected; reference)` with {with_dpo} (mode `dpo`).",
            "sft": "`L = NLL(chosen)` (mode `sft`: the rejected programs were not used).",
        }[config.mode]
    )


def _reference(adapter: Adapter) -> str:
    return "base model" if adapter.reference == "base" else "policy of the previous iteration"


def _last_part(name: str) -> str:
    return Path(name).name or Path(name).resolve().name


def _wrapped(text: str) -> str:
    """Paragraphs of at most 100 columns."""
    return "\n\n".join(fill(part, 100, break_on_hyphens=False) for part in text.split("\n\n"))
