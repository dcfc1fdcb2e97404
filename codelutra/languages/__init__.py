"""The languages of tasks: every module here that has a `LANGUAGE`."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from codelutra.languages.language import Language

__all__ = ["LANGUAGES", "Language", "language_of"]


def find_languages() -> Iterator[Language]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        language = getattr(importlib.import_module(module.name), "LANGUAGE", None)
        if language is not None:
            yield language


LANGUAGES: Mapping[str, Language] = {language.kind: language for language in find_languages()}


def language_of(kind: str) -> Language:
    """ValueError for a kind that no module here has."""
    if kind not in LANGUAGES:
        raise ValueError(f"no language {kind!r}: use one of {', '.join(sorted(LANGUAGES))}")
    return LANGUAGES[kind]
