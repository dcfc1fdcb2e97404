"""Which licence a base model's own card states."""

import os
from pathlib import Path

TIMEOUT_S = 5


def licence_of(model: str, revision: str | None) -> str:
    """Of a folder, or of a model of the Hub; '' where no card can be read or it states none."""
    folder = Path(model)
    if folder.is_dir():
        return _in_card(folder / "README.md")
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(model, "README.md", revision=revision)
    except ValueError:  # no name of the Hub: a folder that is gone
        return ""
    return _in_card(Path(cached)) if isinstance(cached, str) else _on_hub(model, revision)


def _in_card(path: Path) -> str:
    from huggingface_hub import ModelCard

    if not path.is_file():
        return ""
    try:
        card = ModelCard(path.read_text("utf-8", "replace"), ignore_metadata_errors=True)
    except ValueError:  # its front matter is no YAML
        return ""
    return _stated(card.data)


def _on_hub(model: str, revision: str | None) -> str:
    import httpx2  # the Hub client's own, whose errors it lets through
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    try:
        return _stated(api.model_info(model, revision=revision, timeout=TIMEOUT_S).card_data)
    except (OSError, ValueError, httpx2.HTTPError):
        return ""


def _stated(data: object) -> str:
    """`other` says nothing without the name that goes with it."""
    stated = getattr(data, "license", None)
    name = getattr(data, "license_name", None)
    words = [str(each) for each in (stated, name if stated == "other" else None) if each]
    return ": ".join(words).replace("`", "")
