"""Brings an adapter from the Hub, or from a folder, to start from: weights as safetensors alone,
pinned to a commit, and checked before anything is kept. Nothing that could run is ever taken."""

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codelutra.adapters import MANIFEST, SETTINGS, WEIGHTS
from codelutra.errors import AdapterError
from codelutra.export import merge_into_base
from codelutra.models import file_sha256
from codelutra.records import Adapter

CARD = "README.md"
TIMEOUT_S = 10
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
# By these PEFT would import a module that somebody else names.
MODULES = ("auto_mapping", "megatron_config", "megatron_core")


@dataclass(frozen=True)
class Source:
    """`name` says the commit; `files` lie in the Hub's cache or in the folder."""

    name: str
    files: dict[str, Path]


def pull_adapter(source: str, out: Path, *, base: str = "", is_merged: bool = False) -> Adapter:
    """Write the folder `out`, all or nothing: PEFT's files, or the whole model (`is_merged`).

    `base` is where the base model is here, if not where the adapter says. Raises CodeLutraError.
    """
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise AdapterError(f"{out} exists and is not an empty folder: give another --out")
    found = find(source)
    settings, made_of = _settings(found), _made_of(found)
    adapter = _adapter(found, settings, made_of, base)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a crash
    partial.mkdir(parents=True)
    try:
        shutil.copyfile(found.files[WEIGHTS], partial / WEIGHTS)
        (partial / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
        if is_merged:
            merge_into_base(replace(adapter, path=str(partial)), partial)
            (partial / WEIGHTS).unlink()
            (partial / SETTINGS).unlink()
        known = {**made_of, "sha256": adapter.sha256, "base_model": adapter.base_model,
                 "base_revision": adapter.base_revision, "merged": is_merged,
                 "pulled_from": found.name}  # fmt: skip
        (partial / MANIFEST).write_text(json.dumps(known, indent=1) + "\n", "utf-8")
        if CARD in found.files:
            shutil.copyfile(found.files[CARD], partial / CARD)
        partial.replace(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return adapter


def find(source: str) -> Source:
    """A folder, or `OWNER/NAME[@REVISION]` of the Hub."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        names = [path.name for path in folder.iterdir()]
        return Source(folder.name, {name: folder / name for name in _wanted(source, names)})
    return _fetch(source)


def _fetch(source: str) -> Source:
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, revision = source.partition("@")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        info = HfApi(endpoint=endpoint).model_info(
            repo, revision=revision or None, timeout=TIMEOUT_S
        )
        names = _wanted(source, [one.rfilename for one in info.siblings or []])
        files = {
            name: Path(
                hf_hub_download(
                    repo, name, revision=info.sha, endpoint=endpoint, etag_timeout=TIMEOUT_S
                )
            )
            for name in names
        }
    except HFValidationError as error:
        raise AdapterError(f"{source}: write OWNER/NAME, or a folder that is here") from error
    except GatedRepoError as error:
        raise AdapterError(
            f"{repo} is gated: accept its licence on its Hub page, then run `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise AdapterError(f"{repo} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise AdapterError(
            f"there is no model {repo} on the Hub, nor a folder here, or it is private"
        ) from error
    except (OSError, httpx2.HTTPError) as error:
        raise AdapterError(
            f"{source}: the Hub does not answer ({type(error).__name__}); bring the folder here "
            "and give its path"
        ) from error
    return Source(f"{repo}@{info.sha}", files)


def _wanted(source: str, names: list[str]) -> list[str]:
    missing = [name for name in (WEIGHTS, SETTINGS) if name not in names]
    if WEIGHTS in missing and any(name.endswith(PICKLES) for name in names):
        raise AdapterError(
            f"{source} has its weights as pickles, which can run code when they are loaded: "
            f"ask its author for {WEIGHTS}"
        )
    if missing:
        raise AdapterError(f"{source} holds no adapter: {missing[0]} is missing")
    return [name for name in (WEIGHTS, SETTINGS, MANIFEST, CARD) if name in names]


def _settings(found: Source) -> dict[str, Any]:
    settings = _json(found, SETTINGS)
    if (kind := settings.get("peft_type")) != "LORA":
        raise AdapterError(f"{found.name} is a {kind} adapter: only LORA ones can be started from")
    return {name: value for name, value in settings.items() if name not in MODULES}


def _made_of(found: Source) -> dict[str, Any]:
    """What CodeLutra wrote beside it; of others' adapters nothing is known."""
    return _json(found, MANIFEST) if MANIFEST in found.files else {}


def _json(found: Source, name: str) -> dict[str, Any]:
    try:
        value = json.loads(found.files[name].read_text("utf-8"))
    except ValueError as error:
        raise AdapterError(f"{found.name} is damaged, {name} is no JSON") from error
    if not isinstance(value, dict):
        raise AdapterError(f"{found.name} is damaged, {name} is no JSON object")
    return value


def _adapter(
    found: Source, settings: dict[str, Any], made_of: dict[str, Any], base: str
) -> Adapter:
    from safetensors import SafetensorError, safe_open

    weights = found.files[WEIGHTS]
    try:
        with safe_open(weights, framework="numpy") as file:
            is_lora = any(".lora_A." in name for name in file.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise AdapterError(f"{found.name} is damaged, {WEIGHTS} is not safetensors") from error
    if not is_lora:
        raise AdapterError(f"{found.name} holds no LoRA: no weight in {WEIGHTS} is one")
    sha256 = file_sha256(weights)
    if made_of.get("sha256", sha256) != sha256:
        raise AdapterError(
            f"{found.name} is damaged or was replaced: its sha256 is {sha256[:12]}, its "
            f"{MANIFEST} says {str(made_of['sha256'])[:12]}"
        )
    named = base or settings.get("base_model_name_or_path") or ""
    revision = made_of.get("base_revision") or settings.get("revision") or "unknown"
    return Adapter(
        path=str(weights.parent), sha256=sha256, base_model=str(named), base_revision=str(revision),
        **{name: str(made_of.get(name, "")) for name in
           ("reference", "parent", "config_sha256", "data_sha256")},
    )  # fmt: skip
