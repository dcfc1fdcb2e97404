"""What child processes see of our environment: all of it but what opens doors elsewhere.

The Hub's token stays with the web process and the worker, which downloads models; phases, engines
and trainings load them from this machine's cache. (Sandboxed programs see nothing of it at all.)
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

OFFLINE = "HF_HUB_OFFLINE"
_NAMES = re.compile(
    r"TOKEN(?!IZ)|SECRET|PASSWORD|PASSWD|CREDENTIAL|(^|_)(API)?KEYS?(_|$)|(^|_)AUTH(_|$)"
    r"|^CODELUTRA_USERS$",
    re.IGNORECASE,
)
_WITH_PASSWORD = re.compile(r"://[^/\s@]+@")  # as DATABASE_URL and CODELUTRA_SNAPSHOT may be
_lock = threading.Lock()


def is_secret(name: str, value: str) -> bool:
    """A proxy's password is let through: without it nothing would be reached."""
    if _NAMES.search(name):
        return True
    return bool(_WITH_PASSWORD.search(value)) and not name.lower().endswith("_proxy")


def for_children() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not is_secret(name, value)}
    return {**known, OFFLINE: "1"}


@contextmanager
def without_secrets() -> Iterator[None]:
    """For what takes our own environment and no other. Keep it short: other threads miss the
    secrets meanwhile."""
    with _lock:
        wanted = for_children()
        changed = {n: v for n, v in os.environ.items() if wanted.get(n) != v}
        had_it = OFFLINE in os.environ
        for name in changed:
            del os.environ[name]
        os.environ[OFFLINE] = "1"
        try:
            yield
        finally:
            if not had_it:
                del os.environ[OFFLINE]
            os.environ.update(changed)
