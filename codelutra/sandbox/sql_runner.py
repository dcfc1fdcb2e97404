"""Trusted side of the SQL sandbox: one worker process, one statement at a time, killed if stuck."""

import json
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError
from codelutra.sandbox.process import ServerDied, ServerProcess
from codelutra.sandbox.result import ExecutionResult, Program

START_TIMEOUT_S = 60.0
WALL_FACTOR = 4  # wall-clock backstop, in units of the CPU time allowed
SOON_MS = 50.0  # most answers are there by then: only later anybody looks at the clocks
CPU_GRACE_S = 0.25  # the worker stops itself; this much later it is killed


@dataclass(frozen=True)
class Table:
    """A query's answer: cells are None, int, float, str or bytes. Column names do not count."""

    columns: int
    rows: list[tuple[Any, ...]]


class Overrun(Exception):
    """The worker was killed at a limit; says which."""


class SqlRunner:
    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.process = ServerProcess("sql_server.py", str(config.memory_mb), socket.SOCK_STREAM)

    def wait_ready(self) -> None:
        """Raises SandboxError when the worker cannot fence itself here."""
        try:
            message = json.loads(self._read(time.monotonic() + START_TIMEOUT_S, None))
        except Overrun:
            raise ServerDied("the SQL worker does not start") from None
        if "error" in message:
            raise SandboxError(f"the SQL sandbox does not start: {message['error']}")

    def run(self, program: Program) -> ExecutionResult:
        """Raises ServerDied when the worker is lost; after a timeout it may be dead, too."""
        job = {
            "database": program.database,
            "sql": program.source,
            "cpu_s": self.config.timeout_s,
            "max_rows": self.config.max_rows,
        }
        payload = json.dumps(job).encode("ascii")
        cpu_before = self.process.cpu_seconds()
        ends_at = time.monotonic() + self.config.timeout_s * WALL_FACTOR
        cpu_ends_at = cpu_before + self.config.timeout_s + CPU_GRACE_S
        try:
            self.process.control.settimeout(START_TIMEOUT_S)
            self.process.control.sendall(len(payload).to_bytes(8, "big") + payload)
            reply = json.loads(self._read(ends_at, cpu_ends_at))
        except Overrun as overrun:
            used = self.process.cpu_seconds() - cpu_before
            self.close()
            return ExecutionResult("timeout", None, str(overrun), used)
        except OSError as error:
            raise ServerDied(f"the SQL worker is gone: {error}") from None
        value = None
        if reply["outcome"] == "ok":
            value = Table(reply["columns"], [as_row(cells) for cells in reply["rows"]])
        return ExecutionResult(reply["outcome"], value, reply["detail"], reply["cpu_s"])

    @property
    def is_alive(self) -> bool:
        return self.process.popen.poll() is None

    def _read(self, ends_at: float, cpu_ends_at: float | None) -> bytes:
        """One message. Raises Overrun at a limit (monotonic and CPU seconds), ServerDied on EOF."""
        control = self.process.control
        control.settimeout(None)
        poll = select.poll()
        poll.register(control, select.POLLIN)
        buffer = bytearray()
        ready, starved = poll.poll(SOON_MS), None
        while True:
            if ready:
                part = control.recv(1 << 18)
                if not part:
                    raise ServerDied("the SQL worker ended")
                buffer += part
                if len(buffer) >= 8 and len(buffer) >= 8 + int.from_bytes(buffer[:8], "big"):
                    return bytes(buffer[8:])
            if starved is None:
                starved = self.process.starved_seconds()
            ready = poll.poll(self._left_ms(ends_at + self._starved_since(starved), cpu_ends_at))

    def _starved_since(self, starved: float) -> float:
        return self.process.starved_seconds() - starved

    def _left_ms(self, ends_at: float, cpu_ends_at: float | None) -> float:
        """Time until the next look at the limits; raises Overrun at one."""
        left = ends_at - time.monotonic()
        if left <= 0:
            raise Overrun(f"still running after {self.config.timeout_s * WALL_FACTOR:g} s")
        if cpu_ends_at is not None:
            cpu_left = cpu_ends_at - self.process.cpu_seconds()
            if cpu_left <= 0:
                raise Overrun(f"used more than {self.config.timeout_s:g} s of CPU time")
            left = min(left, cpu_left)
        return max(10.0, left * 1000)

    def close(self) -> None:
        self.process.popen.kill()  # it starts nothing of its own and may be inside one long step
        self.process.close()


def as_row(cells: list[Any]) -> tuple[Any, ...]:
    return tuple(bytes.fromhex(cell["hex"]) if type(cell) is dict else cell for cell in cells)
