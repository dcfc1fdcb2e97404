"""How many tokens a model reads a text as, from its tokenizer.json alone: no torch, no network."""

from collections.abc import Callable
from pathlib import Path

from codelutra.models import resolve_model

FILE = "tokenizer.json"


def token_counter(model: str) -> Callable[[str], int] | None:
    """Counts with the special tokens that are added to a text; None where there is no such file.

    A chat template is not part of it: what it puts around a prompt is not counted.
    """
    path = _find(model)
    if path is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(text: str) -> int:
        sound = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text to it
        return len(tokenizer.encode(sound).ids)

    return count


def _find(model: str) -> Path | None:
    folder = Path(resolve_model(model))
    if folder.is_dir():
        return folder / FILE if (folder / FILE).is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, FILE)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None
