"""A Postgres that went away (restarted, killed, unreachable), and with it the worker's lock.

Nothing that was under way is taken for failed: its thread stands still, and when the database
answers again the worker begins anew as another process, as it would after `kill -9`.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from codelutra.worker_children import kill_groups_of_children
from storage import db

RETRY_S = 1.0

log = logging.getLogger("codelutra.worker")
_lost = threading.Event()


def stand_still_if_lost(error: BaseException) -> None:
    """Does not return when `error` comes from a database that went away."""
    if db.is_lost(error):
        _lost.set()
        stand_still()


def stand_still() -> None:
    """Until the process is gone."""
    while True:
        time.sleep(60)


def is_lost() -> bool:
    return _lost.is_set()


def begin_again(is_over: Callable[[], bool]) -> None:
    """Become another process once the database is back; return when that `is_over` before."""
    _lost.set()  # whatever ends now ends because of what comes next
    log.warning("the database went away: worker %d begins again when it is back", os.getpid())
    kill_groups_of_children()
    while not _answers():
        if is_over():
            return
        time.sleep(RETRY_S)
    logging.shutdown()
    os.execv(sys.executable, sys.orig_argv)


def _answers() -> bool:
    try:
        with db.current().engine.connect():
            return True
    except DBAPIError:
        return False
