"""Functions of the C library, without errno: ctypes keeps it at sixty page faults a fork."""

import ctypes
import errno
import os
from collections.abc import Callable
from typing import Any

_plain, _telling = ctypes.CDLL(None), ctypes.CDLL(None, use_errno=True)


def function(name: str, *types: Any) -> Callable[..., int]:
    """It raises OSError for a negative result: the call is then made again to learn the reason."""
    if not hasattr(_plain, name):  # another system than Linux: told when it is called
        plain = telling = None
    else:
        plain, telling = _plain[name], _telling[name]
        plain.argtypes = telling.argtypes = types

    def call(*arguments: Any) -> int:
        if plain is None or telling is None:
            raise OSError(errno.ENOSYS, f"{name}: not on this system")
        result = int(plain(*arguments))
        if result < 0:
            telling(*arguments)
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")
        return result

    return call
