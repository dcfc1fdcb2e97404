"""Trusted side of the SQL sandbox: one worker process that is killed when it is stuck.

It runs one statement at a time; the next ones wait in its socket, and answers come several at once.
"""

import json
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError
from codelutra.sandbox.process import ServerDied, ServerProcess, cannot_start
from codelutra.sandbox.result import ExecutionResult, Program

START_TIMEOUT_S = 60.0
MAX_MESSAGE = 256 << 20  # bytes; one answer is at most 4 MiB
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
    def __init__(self, config: SandboxConfig, is_fenced: bool = True) -> None:
        self.config = config
        arguments = str(config.memory_mb), "fenced" if is_fenced else "unfenced"
        self.process = ServerProcess("sql_server.py", *arguments, socket_type=socket.SOCK_STREAM)
        self.process.control.setblocking(False)
        self._incoming, self._outgoing = bytearray(), bytearray()

    def wait_ready(self) -> None:
        """Raises SandboxError when the worker cannot fence itself here."""
        try:
            message = self._read(time.monotonic() + START_TIMEOUT_S, None)
        except Overrun:
            raise ServerDied("the SQL worker does not start") from None
        if "error" in message:
            raise SandboxError(cannot_start("SQL sandbox", message["error"]))

    def run(self, programs: Sequence[Program]) -> Iterator[ExecutionResult]:
        """A result for each; fewer when the worker had to be killed at a limit, or was lost.

        Which of several it was is then not known: they are to be run alone. Raises ServerDied
        when the worker is lost.
        """
        self._outgoing += self._job(programs)
        unanswered = len(programs)
        while unanswered:
            cpu_before = self.process.cpu_seconds()
            ends_at = time.monotonic() + self.config.timeout_s * WALL_FACTOR
            cpu_ends_at = cpu_before + self.config.timeout_s + CPU_GRACE_S
            try:
                message = self._read(ends_at, cpu_ends_at)
            except Overrun as overrun:
                used = self.process.cpu_seconds() - cpu_before
                self.close()
                if unanswered == 1:
                    yield ExecutionResult("timeout", None, str(overrun), used)
                return
            except OSError as error:
                raise ServerDied(f"the SQL worker is gone: {error}") from None
            convert = as_row if message["has_bytes"] else tuple
            for outcome, detail, cpu_s, columns, rows in message["answers"]:
                value = Table(columns, list(map(convert, rows))) if outcome == "ok" else None
                unanswered -= 1
                yield ExecutionResult(outcome, value, detail, cpu_s)

    def _job(self, programs: Sequence[Program]) -> bytes:
        job = {
            "cpu_s": self.config.timeout_s,
            "max_rows": self.config.max_rows,
            "queries": [(p.database, p.quoted_strings, p.backwards, p.source) for p in programs],
        }
        payload = json.dumps(job).encode("ascii")
        return len(payload).to_bytes(8, "big") + payload

    @property
    def is_alive(self) -> bool:
        return self.process.popen.poll() is None

    def _read(self, ends_at: float, cpu_ends_at: float | None) -> dict[str, Any]:
        """One message; sends meanwhile what is to be sent.

        Raises Overrun at a limit (monotonic and CPU seconds), ServerDied on EOF.
        """
        starved, wait_ms = None, SOON_MS
        while True:
            size = 8 + int.from_bytes(self._incoming[:8], "big")
            if size > MAX_MESSAGE:
                raise ServerDied("the SQL worker sends nonsense")
            if 8 <= size <= len(self._incoming):
                message = json.loads(self._incoming[8:size])
                del self._incoming[:size]
                return message  # type: ignore[no-any-return]
            if not self._transfer(wait_ms):
                if starved is None:
                    starved = self.process.starved_seconds()
                now_ends_at = ends_at + self.process.starved_seconds() - starved
                wait_ms = self._left_ms(now_ends_at, cpu_ends_at)

    def _transfer(self, wait_ms: float) -> bool:
        """Moves bytes as soon as it can; False when it could not."""
        control = self.process.control
        poll = select.poll()
        poll.register(control, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        ready = poll.poll(wait_ms)
        for _, event in ready:
            if event & select.POLLOUT:
                del self._outgoing[: control.send(self._outgoing)]
            if event & ~select.POLLOUT:
                part = control.recv(1 << 18)
                if not part:
                    raise ServerDied("the SQL worker ended")
                self._incoming += part
        return bool(ready)

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

    def hang_up(self) -> None:
        self.process.popen.kill()
        self.process.hang_up()

    def close(self) -> None:
        self.process.popen.kill()  # it starts nothing of its own and may be inside one long step
        self.process.close()


def as_row(cells: list[Any]) -> tuple[Any, ...]:
    return tuple(bytes.fromhex(cell["hex"]) if type(cell) is dict else cell for cell in cells)
