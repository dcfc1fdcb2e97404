"""The worker's log file: everything that is news, and each stack trace once."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dbos import error as dbos_error

from codelutra.log_lines import formatter, quieten

LOG_BYTES = 5_000_000


def log_to(path: Path) -> None:
    """Everything to the rotating file, warnings of ours to stderr, DBOS's only to the file."""
    file = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=3)
    console = logging.StreamHandler()
    for handler in (file, console):
        handler.setFormatter(formatter())
    console.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, handlers=[file, console], force=True)
    logging.raiseExceptions = False  # a full disk is told elsewhere, not once a line
    quieten()
    dbos = logging.getLogger("dbos")
    dbos.setLevel(logging.WARNING)
    dbos.addHandler(file)
    dbos.addFilter(_is_news)
    dbos.propagate = False


def _is_news(record: logging.LogRecord) -> bool:
    """DBOS logs a stack trace for every workflow that was stopped on purpose."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, dbos_error.DBOSAwaitedWorkflowCancelledError)
