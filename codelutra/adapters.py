"""Adapters on disk: written whole or not at all, and checked against their hash before use.

Beside PEFT's two files lies `codelutra.json`: what the adapter was made of.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codelutra.errors import AdapterError
from codelutra.models import file_sha256
from codelutra.records import Adapter

WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"
MANIFEST = "codelutra.json"


def json_sha256(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """Of plain JSON data, the same for the same values in whatever order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def place(partial: Path, out: Path, **made_of: str) -> Adapter:
    """Move the finished adapter in `partial` to `out`, all or nothing.

    `made_of` are the fields of `Adapter` beside its path and hash.
    """
    adapter = Adapter(path=str(out), sha256=file_sha256(partial / WEIGHTS), **made_of)
    manifest = {name: value for name, value in asdict(adapter).items() if name != "path"}
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)  # left by a crash before its row was written
    partial.replace(out)
    return adapter


def lora_rank(folder: str) -> int:
    """The largest rank of any layer."""
    settings = json.loads((Path(folder) / SETTINGS).read_text(encoding="utf-8"))
    return int(max([settings["r"], *(settings.get("rank_pattern") or {}).values()]))


def verify_adapter(adapter: Adapter) -> None:
    """Raise AdapterError, in one line, unless the files are those that were recorded."""
    folder = Path(adapter.path)
    for name in (WEIGHTS, SETTINGS):
        if not (folder / name).is_file():
            raise AdapterError(
                f"adapter {folder} is damaged, {name} is missing: restore the folder from a copy, "
                "or refine again"
            )
    found = file_sha256(folder / WEIGHTS)
    if found != adapter.sha256:
        raise AdapterError(
            f"adapter {folder} is damaged or was replaced: its sha256 is {found[:12]}, recorded "
            f"was {adapter.sha256[:12]}; restore the folder from a copy, or refine again"
        )
