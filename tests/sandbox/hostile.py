"""All hostile programs as one list, and the run of them all: `python -m tests.sandbox.hostile`.

Prints one JSON object: how many ran, what went wrong. It needs no pytest, so that it also runs
as another user and inside a seccomp profile.
"""

import json
import os
import shutil
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from codelutra.config import SandboxConfig
from codelutra.languages.javascript import LANGUAGE as JAVASCRIPT
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.sandbox.python_runner import PythonRunner
from tests.sandbox import (
    hostile_javascript,
    hostile_python,
    hostile_python_more,
    hostile_sql,
    hostile_sql_more,
)

SECRET = "tell-nobody-7f3a"
PATIENT = SandboxConfig(timeout_s=20, memory_mb=256, workers=1)
HASTY = SandboxConfig(timeout_s=0.3, memory_mb=256, workers=1)
GOOD_PYTHON = {
    "import pandas as pd\nresult = int(pd.Series([1, 2]).sum())": 3,
    "import numpy as np\nresult = int(np.arange(4).sum())": 6,
    "result = sum([1, 2]) + len('x')": 4,
}
GOODS = {
    "python": GOOD_PYTHON,
    "sql": {"SELECT count(*) FROM items": [(100,)]},
    "javascript": {"console.log(6 * 7)": ["list", ["42\n"]]},
}


@dataclass(frozen=True)
class Hostile:
    name: str
    kind: str
    source: str
    outcomes: tuple[str, ...]

    @property
    def is_hasty(self) -> bool:
        return "timeout" in self.outcomes


def every_program() -> list[Hostile]:
    javascript = javascript_programs() if shutil.which("node") else ()
    return [*python_programs(), *sql_programs(), *javascript]


def python_programs() -> Iterator[Hostile]:
    tables = {
        "RUNTIME_ERRORS": ("runtime_error",),
        "TIMEOUTS": ("timeout",),
        "SYNTAX_ERRORS": ("syntax_error",),
        "EITHER": ("runtime_error", "timeout"),
    }
    for module in (hostile_python, hostile_python_more):
        for table, outcomes in tables.items():
            for name, source in getattr(module, table).items():
                if "result" not in source and name != "no_answer":
                    source += "\nresult = 'reached'"  # else no attack could be seen to succeed
                yield Hostile(name, "python", source, outcomes)


def sql_programs() -> Iterator[Hostile]:
    for module in (hostile_sql, hostile_sql_more):
        for table in ("FORBIDDEN", "RUNTIME_ERRORS", "TIMEOUTS", "SYNTAX_ERRORS"):
            outcome = table.lower().removesuffix("s")
            for source in getattr(module, table):
                yield Hostile(source[:60], "sql", source, (outcome,))


def javascript_programs() -> Iterator[Hostile]:
    for table in ("RUNTIME_ERRORS", "TIMEOUTS", "SYNTAX_ERRORS"):
        outcome = table.lower().removesuffix("s")
        for name, source in getattr(hostile_javascript, table).items():
            yield Hostile(name, "javascript", source, (outcome,))


class Range:
    """Where hostile programs run: a canary, a database, and two sandboxes to attack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary, self.database = folder / "canary", folder / "shop.db"
        self.canary.write_text(f"secret = '{SECRET}'\n")
        connection = sqlite3.connect(self.database)
        connection.execute("CREATE TABLE items (id INTEGER, name TEXT, price REAL, note BLOB)")
        rows = [(n, f"item {n}", n / 4, bytes([n])) for n in range(100)]
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
        connection.commit()
        connection.close()
        self.before = self.state()
        self.patient, self.hasty = Sandbox(PATIENT), Sandbox(HASTY)

    def close(self) -> None:
        self.patient.close()
        self.hasty.close()

    def state(self) -> list[tuple[object, ...]]:
        """Everything about the files of the folder that a program could have changed."""
        found: list[tuple[object, ...]] = []
        for path in sorted(self.folder.iterdir()):
            info = path.stat()
            mode = stat.filemode(info.st_mode)
            found.append((path.name, mode, info.st_uid, info.st_mtime_ns, path.read_bytes()))
        return found

    def run(self, program: Hostile) -> ExecutionResult:
        sandbox = self.hasty if program.is_hasty else self.patient
        source = program.source.replace("CANARY", str(self.canary))
        database = str(self.database) if program.kind == "sql" else ""
        command = JAVASCRIPT.command if program.kind == "javascript" else None
        return sandbox.execute([Program(program.kind, source, database, command=command)])[0]

    def faults(self, program: Hostile) -> list[str]:
        """Runs the program; everything about it or left behind by it that should not be."""
        result = self.run(program)
        found = []
        if result.outcome not in program.outcomes or not result.detail:
            found.append(f"{result.outcome}: {result.detail[:200]}")
        if result.outcome == "timeout" and result.detail != "used more than 0.3 s of CPU time":
            found.append(f"not the limit that was hit: {result.detail}")
        if SECRET in repr(result):
            found.append("the secret came out")
        if strangers := survivors(self.patient, self.hasty):
            found.append(f"processes survive: {strangers}")
        found += self.harm(program.kind)
        return [f"{program.kind} {program.name!r}: {fault}" for fault in found]

    def harm(self, kind: str) -> list[str]:
        """What the next good program and the files show of the last bad one."""
        found = [] if self.state() == self.before else ["files are changed"]
        for source, value in GOODS[kind].items():
            result = self.run(replace(NEXT, kind=kind, source=source))
            got = getattr(result.value, "rows", None) if kind == "sql" else result.value
            if got != value:
                found.append(f"the next good program: {result}")
        return found


NEXT = Hostile("next", "python", "", ("ok",))


def survivors(*sandboxes: Sandbox) -> set[int]:
    """Processes that servers started and that are still there; servers inherit their orphans.

    A Python server always has the one child that waits for the next job.
    """
    found, children = set(), children_of_all()
    for sandbox in sandboxes:
        for slot in sandbox._slots:
            for runner in slot.runners.values():
                started = below(runner.process.popen.pid, children)
                if len(started) != isinstance(runner, PythonRunner):
                    found |= started
    return found


def children_of_all() -> dict[int, list[int]]:
    """By the id of their parent: one look at all processes."""
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"], []).append(process.pid)
    return children


def below(root: int, children: dict[int, list[int]]) -> set[int]:
    own = children.get(root, [])
    return set(own).union(*(below(child, children) for child in own))


def descendants(root: int) -> set[int]:
    """Every process below this one."""
    return below(root, children_of_all())


def run_all() -> dict[str, object]:
    """On two ranges at once, each with its own servers."""
    os.environ["HF_TOKEN"] = SECRET
    programs = every_program()
    with ThreadPoolExecutor(2) as threads:
        halves = threads.map(faults_of, (programs[::2], programs[1::2]))
        faults = [fault for half in halves for fault in half]
    if left := descendants(os.getpid()):
        faults.append(f"processes survive the sandbox: {left}")
    return {"programs": len(programs), "uid": os.getuid(), "faults": faults}


def faults_of(programs: list[Hostile]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        field = Range(Path(folder))
        faults = [fault for program in programs for fault in field.faults(program)]
        field.close()
    return faults


if __name__ == "__main__":
    print(json.dumps(run_all()))
    sys.exit(0)
