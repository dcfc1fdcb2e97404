"""Preference pairs in a file that somebody else made: read, and refused by line where they are
none. Knows no run and no tasks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codelutra.errors import CodeLutraError

MAX_FILE = 1 << 30  # bytes
MAX_LINE = 16 << 20  # bytes
MAX_TEXT = 200_000  # characters of a prompt or a program
FIELDS = ("prompt", "chosen", "rejected", "task_id")
KINDS = {dict: "an object", list: "a list", bool: "true or false", int: "a number",
         float: "a number"}  # fmt: skip


@dataclass(frozen=True)
class GivenPair:
    """As it stands in the file; `task_id` and `prompt` may be ''."""

    line: int
    task_id: str
    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class Problem:
    """Why a line is refused. In a Parquet file it is the row's number, 1 the first."""

    line: int
    reason: str


def read_pairs(path: Path) -> Iterator[GivenPair | Problem]:
    """Every row in its order. CodeLutraError where the file as a whole cannot be read."""
    rows = {".jsonl": _json_lines, ".parquet": _parquet_rows}.get(path.suffix.lower())
    if rows is None:
        raise CodeLutraError(f"{path.name}: give a .jsonl or a .parquet file")
    if path.stat().st_size > MAX_FILE:
        raise CodeLutraError(f"{path.name} has more than {MAX_FILE >> 30} GiB: take it apart")
    number = 0
    for number, row in rows(path):
        try:
            yield row if isinstance(row, Problem) else _pair(number, row)
        except ValueError as error:
            yield Problem(number, str(error))
    if not number:
        raise CodeLutraError(f"{path.name} is empty: a pair a line, as `export pairs` writes it")


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                yield number, Problem(number, f"longer than {MAX_LINE >> 20} MiB")
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(MAX_LINE)
            elif raw.strip():
                yield number, _parsed(number, raw)


def _parsed(number: int, raw: bytes) -> Any:
    try:
        return json.loads(raw.rstrip().decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return Problem(number, "not UTF-8")
    except json.JSONDecodeError as error:
        return Problem(number, f"not JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return Problem(number, "nested too deeply")


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            columns = [name for name in FIELDS if name in file.schema_arrow.names]
            for batch in file.iter_batches(500, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise CodeLutraError(f"{path.name}, behind row {number}: no Parquet ({reason})") from error


def _pair(line: int, row: Any) -> GivenPair:
    """Raises ValueError with what is wrong."""
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    row = {name: value for name, value in row.items() if value is not None}
    asked, prompt = "", ""
    if "prompt" in row:
        prompt = _text("prompt", row["prompt"], ("user",))[-1]
    sides = {}
    for name in ("chosen", "rejected"):
        if name not in row:
            raise ValueError(f"`{name}` is missing")
        *before, sides[name] = _text(name, row[name], ("assistant",), ("user", "assistant"))
        if before and asked not in ("", before[0]):
            raise ValueError("`chosen` and `rejected` answer different prompts")
        asked = before[0] if before else asked
    if prompt and asked and prompt != asked:
        raise ValueError("`prompt` is another text than the message that is answered")
    if sides["chosen"].strip() == sides["rejected"].strip():
        raise ValueError("`chosen` and `rejected` are the same program")
    task_id = row.get("task_id", "")
    if not isinstance(task_id, str):
        raise ValueError(f"`task_id` is {KINDS.get(type(task_id), 'no text')}, not text")
    return GivenPair(line, clean(task_id.strip())[:200], prompt or asked, **sides)


def _text(name: str, value: Any, *conversations: tuple[str, ...]) -> list[str]:
    """The texts of a field: one, or those of a conversation with the roles of one of these."""
    texts = [value]
    if isinstance(value, list):
        roles = tuple(message.get("role") if isinstance(message, dict) else None
                      for message in value)  # fmt: skip
        if roles not in conversations:
            wanted = " or ".join(" + ".join(roles) for roles in conversations)
            found = " + ".join(map(str, roles)) or "none"
            raise ValueError(f"`{name}` has the messages {found[:80]}: only {wanted} can be used")
        texts = [message.get("content") for message in value]
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"`{name}` is {KINDS.get(type(text), 'no text')}, not text")
        if not text.strip():
            raise ValueError(f"`{name}` is empty")
        if len(text) > MAX_TEXT:
            raise ValueError(f"`{name}` has {len(text):,} characters, more than {MAX_TEXT:,}")
    return list(map(clean, texts))


def clean(text: str) -> str:
    """As a database takes it, so that what is executed is what is kept."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
