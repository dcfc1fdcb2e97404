"""Which base models there are and whether this machine can load one. Imports no torch."""

import hashlib
import json
import os
from pathlib import Path

from codelutra.config import STARTER
from codelutra.errors import ModelError

KNOWN_MODELS: dict[str, str] = {
    STARTER: "built in, 3.8M parameters, needs no GPU and no network",
    "meta-llama/Meta-Llama-3-8B": "the paper's main model; gated, one 24 GB GPU or larger",
    "google/gemma-7b": "the paper's second model; gated",
    "bigcode/starcoder2-7b": "the paper's third family",
    "Qwen/Qwen2.5-Coder-1.5B": "small code model, one 8 GB GPU",
    "Qwen/Qwen2.5-Coder-7B": "code model, one 24 GB GPU",
}


def resolve_model(model: str) -> str:
    """A path or Hub id that `from_pretrained` takes."""
    if model == STARTER:
        from codelutra.starter import MODEL_DIR

        return str(MODEL_DIR)
    path = Path(model).expanduser()
    return str(path) if path.is_dir() else model


def has_chat_template(model: str) -> bool:
    """As its files on this machine say."""
    names, folder = ("chat_template.jinja", "tokenizer_config.json"), Path(resolve_model(model))
    if folder.is_dir():
        files = [folder / name for name in names]
    else:
        from huggingface_hub import try_to_load_from_cache

        found = [try_to_load_from_cache(model, name) for name in names]
        files = [Path(path) for path in found if isinstance(path, str)]
    return any(
        path.suffix == ".jinja" or json.loads(path.read_text("utf-8")).get("chat_template")
        for path in files
        if path.is_file()
    )


def short_name(name: str) -> str:
    """A Hub id or a set's name as it is, of a folder or file its last part."""
    return Path(name).name if Path(name).is_absolute() or name.startswith((".", "~")) else name


def check_model(model: str) -> None:
    """Raise ModelError, in one line, when `model` cannot be loaded here."""
    resolved = resolve_model(model)
    path = Path(resolved)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{path} is no model folder: config.json is missing")
        return
    if model.startswith((".", "/", "~")):
        raise ModelError(f"model folder {model} does not exist")
    _check_hub(model)


def _check_hub(model: str) -> None:
    """Ask for a file, as loading will: of a gated model the Hub shows its page to everybody."""
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    known = f"give {STARTER!r}, a folder or a Hub id such as Qwen/Qwen2.5-Coder-1.5B"
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        if isinstance(try_to_load_from_cache(model, "config.json"), str):
            return
        get_hf_file_metadata(
            hf_hub_url(model, "config.json", endpoint=endpoint), timeout=5, endpoint=endpoint
        )
    except HFValidationError as error:
        raise ModelError(f"unknown model {model!r}: {known}") from error
    except GatedRepoError as error:
        raise ModelError(
            f"{model} is gated: accept its licence on its Hub page, then run `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"unknown model {model!r}, or a private one: {known}") from error
    except EntryNotFoundError as error:
        raise ModelError(f"{model} has no config.json on the Hub: {known}") from error
    except (OSError, httpx2.HTTPError) as error:
        raise ModelError(
            f"{model} is not on this machine and the Hub does not answer: {known}"
        ) from error


def model_revision(model: str) -> str:
    """What pins the weights: a Hub commit, or `sha256:` of a local folder's weight files."""
    path = Path(resolve_model(model))
    if not path.is_dir():
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(model, "config.json")
        return Path(cached).parent.name if isinstance(cached, str) else "unknown"
    return "sha256:" + file_sha256(*sorted(path.glob("*.safetensors")))


def file_sha256(*paths: Path) -> str:
    """One hex digest over the files' contents, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
