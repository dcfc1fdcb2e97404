"""What a program's process is denied, set by itself before untrusted code runs. Linux only."""

import ctypes
import os
import resource
import signal
import struct
import time

import libc

HEADROOM = 64 << 20  # address space kept back for reporting a MemoryError, bytes
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
PR_SET_CHILD_SUBREAPER = 36

_prctl = libc.function("prctl", ctypes.c_int, *[ctypes.c_ulong] * 4)
_capset = libc.function("capset", ctypes.c_char_p, ctypes.c_char_p)


def prctl(option: int, value: int = 0, more: int = 0) -> None:
    _prctl(option, value, more, 0, 0)


def die_with(parent: int) -> None:
    """SIGKILL this process when its parent ends; at once when that already happened."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hide_memory() -> None:
    """No process of the same user can trace this one or read its memory."""
    prctl(PR_SET_DUMPABLE, 0)


def virtual_memory() -> int:
    """Address space of this process, bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def limit(name: int, soft: int, hard: int | None = None) -> None:
    """Sets a limit, never above the one already in force."""
    ceiling = resource.getrlimit(name)[1]
    values = [soft, soft if hard is None else hard]
    if ceiling != resource.RLIM_INFINITY:
        values = [min(value, ceiling) for value in values]
    resource.setrlimit(name, (values[0], values[1]))


def restrict(cpu_s: float | None, memory_bytes: int, file_bytes: int = 0) -> None:
    """Limits of a program's process: no core dump, bounded memory and CPU time.

    The server enforces `cpu_s` exactly; RLIMIT_CPU (whole seconds, one later) is its backstop.
    """
    if cpu_s is not None:
        limit(resource.RLIMIT_CPU, int(cpu_s) + 2)
    limit(resource.RLIMIT_AS, memory_bytes, memory_bytes + HEADROOM)
    limit(resource.RLIMIT_FSIZE, file_bytes)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NOFILE, 64)
    limit(resource.RLIMIT_NPROC, 0)


def relax_memory() -> None:
    """Opens the kept-back headroom."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def drop_capabilities() -> None:
    """Root keeps its uid but no privilege: it cannot raise limits, trace or mount."""
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _capset(header, bytes(24))


def cpu_seconds(pid: int) -> float:
    """CPU time of another process so far; 0 when it is already gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's MAKE_PROCESS_CPUCLOCK
    except OSError:
        return 0.0


def starved_seconds(pid: int) -> float:
    """Time the process was ready to run but had no core: not held against it as wall clock."""
    try:
        with open(f"/proc/{pid}/schedstat") as schedstat:
            return int(schedstat.read().split()[1]) / 1e9
    except (OSError, IndexError):  # gone, or a kernel that does not count
        return 0.0


def children() -> set[int]:
    """Processes whose parent is this one; it has one thread."""
    try:
        listed = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
        numbers = os.read(listed, 1 << 16)  # `open` would touch ten times the memory
        os.close(listed)
        return set(map(int, numbers.split()))
    except FileNotFoundError:  # a kernel that keeps no such list
        return {int(name) for name in filter(str.isdigit, os.listdir("/proc")) if is_mine(name)}


def is_mine(name: str) -> bool:
    try:
        with open(f"/proc/{name}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1]) == os.getpid()
    except (FileNotFoundError, ProcessLookupError):
        return False
