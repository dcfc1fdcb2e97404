"""Many programs in a row, hostile ones among them: does memory stay flat, is anything left over?"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.claims import Claim
from benchmarks.verdict_programs import python_cases
from codelutra.config import SandboxConfig
from codelutra.sandbox import Program, Sandbox

CHUNK = 500
HOSTILE = [
    "import os\nos._exit(0)",
    "import os\nos.fork()",
    "import ctypes\nctypes.string_at(0)",
    "open('/etc/passwd')",
    "result = 'x' * (2 << 20)",
    "import os\nos.write(3, b'junk')\nos.closerange(0, 99)",
]


def endure(count: int, database: str) -> list[Claim]:
    """Runs `count` programs in chunks; the first two chunks are warm-up."""
    descriptors, processes = len(os.listdir("/proc/self/fd")), len(family())
    started, first = time.perf_counter(), 0
    with Sandbox(SandboxConfig(timeout_s=5, memory_mb=256)) as sandbox:
        for number, programs in enumerate(chunks(count, database)):
            results = sandbox.execute(programs)
            faults = [r for r in results if r.outcome in ("harness_error", "timeout")]
            if faults:
                raise AssertionError(f"our fault, or much too slow: {faults[0]}")
            if number == 1:
                first, during = resident(), len(os.listdir("/proc/self/fd"))
        last = resident()
        grown = len(os.listdir("/proc/self/fd")) - during
    seconds = time.perf_counter() - started
    print(
        f"\n{count} programs in a row: {seconds:.0f} s, {count / seconds:.0f} a second; "
        f"memory of harness and servers {first >> 20} MiB at first, {last >> 20} MiB at last"
    )
    left = len(os.listdir("/proc/self/fd")) - descriptors
    return [
        Claim("endurance_programs", count, floor=count),
        Claim("endurance_memory", last / first, ceiling=1.1),
        Claim("leaked_processes", len(family()) - processes, ceiling=0),
        Claim("leaked_descriptors", max(grown, left), ceiling=0),
    ]


def chunks(count: int, database: str) -> Iterator[list[Program]]:
    """Four of five Python, each a text of its own, every twelfth of these hostile; the rest SQL."""
    programs: list[Program] = []
    for number in range(count):
        if number % 5 == 4:
            sql = f"SELECT name FROM customers WHERE id = {number % 500} -- {number}"
            programs.append(Program("sql", sql, database))
        elif number % 12 == 0:
            programs.append(Program("python", HOSTILE[number // 12 % len(HOSTILE)]))
        else:
            programs.append(Program("python", CASES[number % len(CASES)] + f"\nn = {number}"))
        if len(programs) == CHUNK or number == count - 1:
            yield programs
            programs = []


CASES = [case.source for case in python_cases(0)]


def family() -> list[int]:
    """This process and all below it."""
    here = psutil.Process()
    return [here.pid, *(process.pid for process in here.children(recursive=True))]


def resident() -> int:
    """Memory in use by this process and all below it, bytes; shared pages count once a process."""
    pages = 0
    for pid in family():
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")
