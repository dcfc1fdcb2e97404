"""The words by which a pair is found: those of its programs, and marks for what never changes."""

import re

MAX_WORD = 64  # characters; PostgreSQL takes no word of 2 kB
MAX_WORDS = 2_000  # of a pair
MAX_TEXT = 100_000  # characters read of one program
WORD, ASKED = re.compile(r"\w+"), re.compile(r"\w+\*?")


def words_of(*texts: str, run_id: int, verdict: str | None) -> str:
    """Distinct words in lower case, with a blank between two."""
    found = {word for text in texts for word in split(text[:MAX_TEXT])}
    return " ".join([*marks(run_id, verdict), *sorted(found)[:MAX_WORDS]])


def marks(run_id: int, verdict: str | None) -> list[str]:
    """Looked for beside a person's words, so that only pairs that may be shown are found."""
    return [f"_run_{run_id}_", *([f"_is_{verdict}_"] if verdict else [])]


def asked_for(text: str) -> list[str]:
    """What a person looks for: words, and with a star behind them what begins so (`minu*`)."""
    return [word[: MAX_WORD + 1] for word in ASKED.findall(text.lower())]


def split(text: str) -> list[str]:
    return [word[:MAX_WORD] for word in WORD.findall(text.lower())]
