"""Files a program's process may read: the interpreter's own. A Landlock ruleset by ctypes."""

import contextlib
import ctypes
import glob
import itertools
import os
import stat
import struct
import sys
from collections.abc import Sequence

import libc

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
ACCESS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}  # file accesses a version knows; 16 from 5 on
SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
SYSTEM_FILES = ("/etc/localtime", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")
SYSTEM_PATHS = (*SYSTEM_FOLDERS, *SYSTEM_FILES)
LOADERS = ("/lib/ld-*.so.*", "/lib64/ld-*.so.*", "/lib/*/ld-*.so.*")  # run what the kernel starts

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_restrict_self = libc.function("syscall", ctypes.c_long, ctypes.c_int, ctypes.c_uint)


def version() -> int:
    """The kernel's Landlock version; 0 when there is none."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))))


def readable_paths() -> list[str]:
    """The libraries Python loads from, nothing of anybody's project."""
    homes = (os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix))
    libraries = [
        path
        for path in map(os.path.realpath, sys.path)
        if path.startswith(homes) or "-packages" in path
    ]
    own = [os.path.join(home, "lib") for home in homes]
    return [*libraries, *own, *SYSTEM_PATHS]


def create_ruleset(readable: list[str], programs: Sequence[str] = ()) -> int | None:
    """A descriptor for `enter`; None when the kernel has no Landlock.

    `programs` may be executed, and with them the loaders of shared libraries.
    """
    abi = version()
    if abi == 0:
        return None
    accesses = (1 << ACCESS_BITS.get(abi, 16)) - 1
    attributes = struct.pack("=QQQ", accesses, 3, 3)  # files; TCP; abstract sockets and signals
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = check(
        _libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    )
    for path in readable:
        with contextlib.suppress(FileNotFoundError):
            allow(ruleset, path)
    if programs:
        for path in [*programs, *itertools.chain.from_iterable(map(glob.glob, LOADERS))]:
            allow(ruleset, path, EXECUTE)
    return ruleset


def allow(ruleset: int, path: str, more: int = 0) -> None:
    """Reading, and `more`; of a link it is what that leads to."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        access = more | READ_FILE | (READ_DIR if is_folder else 0)
        rule = struct.pack("=Qi", access, descriptor)
        check(_libc.syscall(ADD_RULE, ctypes.c_int(ruleset), 1, rule, ctypes.c_uint(0)))
    finally:
        os.close(descriptor)


def enter(ruleset: int) -> None:
    """For good, for this process. Needs PR_SET_NO_NEW_PRIVS."""
    _restrict_self(RESTRICT_SELF, ruleset, 0)


def check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
