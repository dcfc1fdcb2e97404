"""How an event of the web process or the worker stands in a log: for people, or as one JSON object
where CODELUTRA_LOG=json.

An event is one line (for people: with indented ones below), so that what a model wrote, which may
be in it, cannot be taken for another event.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from codelutra.errors import CodeLutraError

VARIABLE = "CODELUTRA_LOG"
TEXT, JSON = "text", "json"
INDENT = "    "


def formatter() -> logging.Formatter:
    """Raises CodeLutraError for a format that there is not."""
    wanted = os.environ.get(VARIABLE, "").strip() or TEXT
    if wanted not in (TEXT, JSON):
        raise CodeLutraError(f"{VARIABLE}={wanted}: write {TEXT} or {JSON}")
    return JsonLines() if wanted == JSON else TextLines()


def log_to_stderr() -> None:
    """Of the web process, warnings of its libraries among it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    quieten()


def quieten() -> None:
    """Clients name each address that they ask, and one may hold a signature that opens it."""
    for name in ("httpx", "httpx2", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def adopt(names: Iterable[str]) -> None:
    """Loggers of a library that has given them handlers of their own."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def one_event(text: str) -> str:
    """Further lines are indented; what else moves a terminal or ends a line is written out."""
    return "\n".join(
        (INDENT if number else "") + "".join(map(_visible, line))
        for number, line in enumerate(text.split("\n"))
    )


def _visible(sign: str) -> str:
    return sign if sign.isprintable() or sign == "\t" else repr(sign)[1:-1]


class TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return one_event(super().format(record))


class JsonLines(logging.Formatter):
    """`run` and `iteration` are of the records that say them (`extra`), null in others."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "run": getattr(record, "run", None),
            "iteration": getattr(record, "iteration", None),
        }
        if record.exc_info:
            event["trace"] = self.formatException(record.exc_info)
        return json.dumps(event)
