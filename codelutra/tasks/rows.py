"""Rows of JSON files as sets publish them; what is wrong is named by file and row."""

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError

MAX_FILE = 1 << 30  # bytes of text
MAX_LINE = 64 << 20  # bytes


def read_json_rows(path: Path) -> list[dict[str, Any]]:
    """A JSON list of objects, or one object a line; either may be packed with gzip."""
    text, rows = read_text(path), list[Any]()
    if text.lstrip()[:1] == "[":
        try:
            rows = json.loads(text)
        except json.JSONDecodeError as error:
            raise TaskError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
        except RecursionError:
            raise TaskError(f"{path}: nested too deeply") from None
        places = [f"row {number}" for number in range(1, len(rows) + 1)]
    else:
        places = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                rows.append(parse_line(line, f"{path}, line {number}"))
                places.append(f"line {number}")
    for row, place in zip(rows, places, strict=True):
        if not isinstance(row, dict):
            raise TaskError(f"{path}, {place}: not a JSON object")
    if not rows:
        raise TaskError(f"{path}: no tasks in it")
    return rows


def parse_line(line: str, where: str) -> Any:
    if len(line) > MAX_LINE:
        raise TaskError(f"{where}: {len(line) >> 20} MiB long, more than {MAX_LINE >> 20}")
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise TaskError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    except RecursionError:
        raise TaskError(f"{where}: nested too deeply") from None


def read_text(path: Path) -> str:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            data = file.read(MAX_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{path}: cannot be read ({error})") from error
    if len(data) > MAX_FILE:
        raise TaskError(f"{path}: more than {MAX_FILE >> 30} GiB of text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaskError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is no UTF-8 text; save the file "
            "as UTF-8"
        ) from error


def text_of(row: Mapping[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise TaskError(f"{where}: `{field}` is missing or no text")
    return value


def texts_of(row: Mapping[str, Any], field: str, where: str) -> list[str]:
    value = row.get(field)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TaskError(f"{where}: `{field}` is missing or no list of texts")
    return value
