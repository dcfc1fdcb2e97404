"""Exports what an iteration trained as a folder for others: PEFT's files, or the whole model with
the adapter merged into it, a manifest and a model card. Knows no command line and no Hub."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codelutra.adapters import MANIFEST, SETTINGS, WEIGHTS, verify_adapter
from codelutra.errors import AdapterError, CodeLutraError, ModelError
from codelutra.evaluation import best_iteration
from codelutra.ledger import Ledger
from codelutra.licence import licence_of
from codelutra.merging import merged_policy
from codelutra.model_card import REPORT, Export, base_name, hub_revision, is_on_hub, model_card
from codelutra.models import check_model, model_revision, resolve_model
from codelutra.records import Adapter
from codelutra.report import report
from codelutra.report_text import as_markdown

PROMOTED = "promoted"


def choose(ledger: Ledger, wanted: str) -> Export:
    """The iteration named `wanted`, a number or `promoted`; CodeLutraError where there is none."""
    last = ledger.config.iterations
    trained = [number for number in range(1, last + 1) if ledger.adapter(number)]
    if not trained:
        raise CodeLutraError(
            f"the run in {ledger.folder} has trained no iteration"
            + (" yet: let it go on" if last else ": it was to score the base alone")
        )
    best = _best_on_validation(ledger)
    promoted = trained[-1] if best is None else best
    number = promoted if wanted == PROMOTED else _number(wanted, trained)
    if number == 0:
        raise CodeLutraError(
            f"no iteration of the run in {ledger.folder} beats the base model on validation tasks, "
            f"so none is promoted: name one of {_listed(trained)} with --iteration"
        )
    adapter = ledger.adapter(number)
    if adapter is None:
        raise CodeLutraError(
            f"iteration {number} of the run in {ledger.folder} has no adapter: "
            f"name one of {_listed(trained)} with --iteration"
        )
    # A run's folder may have been moved, and its path may be relative to another place.
    beside = ledger.folder / Path(adapter.path).name
    if beside.is_dir():
        adapter = replace(adapter, path=str(beside))
    return Export(number, adapter, best, number == promoted)


def _best_on_validation(ledger: Ledger) -> int | None:
    numbers = range(ledger.config.iterations + 1)
    scores = {number: ledger.scores(number, "validation") for number in numbers}
    return best_iteration({number: found for number, found in scores.items() if found})


def _number(wanted: str, trained: list[int]) -> int:
    if not wanted.isdecimal() or int(wanted) == 0:
        raise CodeLutraError(
            f"--iteration {wanted}: write {PROMOTED}, or one of {_listed(trained)} (0 is the base "
            "model, which has no adapter)"
        )
    return int(wanted)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def write_export(ledger: Ledger, export: Export, out: Path) -> None:
    """Write the folder `out`, all or nothing; it may be there already if it is empty."""
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise CodeLutraError(f"{out} exists and is not an empty folder: give another --out")
    verify_adapter(export.adapter)
    adapter = export.adapter
    licence = licence_of(resolve_model(adapter.base_model), hub_revision(adapter))
    card = model_card(ledger, replace(export, base_licence=licence))
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a crash
    partial.mkdir(parents=True)
    try:
        if export.is_merged:
            merge_into_base(adapter, partial)
        else:
            _copy(export, partial)
        (partial / MANIFEST).write_text(json.dumps(_manifest(export), indent=1) + "\n", "utf-8")
        (partial / "README.md").write_text(card, "utf-8")
        number = ledger.folder.name
        name = f"Run {number}" if number.isdecimal() else ""
        written = as_markdown(report(ledger, name=name))
        (partial / REPORT).write_text(written, "utf-8")
        partial.replace(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _manifest(export: Export) -> dict[str, Any]:
    """As beside the run's own adapter, without what is only of this machine."""
    known = {name: value for name, value in asdict(export.adapter).items() if name != "path"}
    return {
        **known,
        "base_model": base_name(export.adapter),
        "iteration": export.iteration,
        "promoted": export.is_promoted,
        "merged": export.is_merged,
    }


def _copy(export: Export, folder: Path) -> None:
    """PEFT's two files. Its settings hold the absolute path that the base was loaded from."""
    source = Path(export.adapter.path)
    shutil.copyfile(source / WEIGHTS, folder / WEIGHTS)
    try:
        settings = json.loads((source / SETTINGS).read_text("utf-8"))
    except ValueError as error:
        raise AdapterError(
            f"adapter {source} is damaged, {SETTINGS} is no JSON: restore the folder from a copy, "
            "or refine again"
        ) from error
    settings["base_model_name_or_path"] = base_name(export.adapter)
    settings["revision"] = hub_revision(export.adapter)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", "utf-8")


def merge_into_base(adapter: Adapter, folder: Path) -> None:
    """The base in its own dtype with the adapter's product added to its weights, rounded once."""
    check_model(adapter.base_model)
    _check_base(adapter)
    base, revision = resolve_model(adapter.base_model), hub_revision(adapter)

    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=revision)
        merged_policy(base, adapter.path, revision=revision).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"cannot merge {adapter.path} into {base_name(adapter)}: {reason}; "
            "without --merge no base model is needed"
        ) from error


def _check_base(adapter: Adapter) -> None:
    """An adapter on other weights than its own base's is another model than the measured one."""
    if is_on_hub(adapter) or not adapter.base_revision.startswith("sha256:"):
        return  # a Hub commit is loaded by its name
    found = model_revision(adapter.base_model)
    if found != adapter.base_revision:
        raise ModelError(
            f"the weights of {adapter.base_model} are not those that the adapter was trained on "
            f"({found[:19]}, recorded was {adapter.base_revision[:19]}): bring those back, or "
            "leave --merge out"
        )
