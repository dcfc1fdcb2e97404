"""Where snapshots go (CODELUTRA_SNAPSHOT) and how the last one went: a small file in the home."""

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FILE = "snapshot.json"
LONGEST = 300  # characters of an error that are shown


@dataclass(frozen=True)
class SnapshotState:
    """`at` is when the last whole one began, `failing_since` is empty unless a later one failed."""

    at: str = ""
    num_files: int = 0
    num_bytes: int = 0
    failing_since: str = ""
    error: str = ""

    def failed(self, now: str, error: str) -> "SnapshotState":
        since = self.failing_since or now
        return replace(self, failing_since=since, error=without_secrets(error)[:LONGEST])


def address() -> str:
    return os.environ.get("CODELUTRA_SNAPSHOT", "").strip()


def without_secrets(text: str) -> str:
    """An address may hold a password."""
    return re.sub(r"://[^/\s@]*@", "://***@", text)


def read_state(home: Path) -> SnapshotState:
    try:
        return SnapshotState(**json.loads((home / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return SnapshotState()


def write_state(home: Path, state: SnapshotState) -> None:
    partial = home / (FILE + ".partial")
    partial.write_text(json.dumps(asdict(state)), encoding="utf-8")
    partial.replace(home / FILE)
