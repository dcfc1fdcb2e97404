"""Trusted side of command-line languages: one server that runs one program after the other."""

import json
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError
from codelutra.sandbox.process import ServerDied, ServerProcess, cannot_start
from codelutra.sandbox.python_runner import WALL_FACTOR, ending, hung_s, limit_of
from codelutra.sandbox.result import Command, ExecutionResult, Program

START_TIMEOUT_S = 60.0
MAX_MESSAGE = 256 << 20  # bytes; a run prints at most 1 MiB
MAX_OUTPUT = 4096  # characters shown, as of a Python program
MAX_DETAIL = 300
FIXED = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class CommandRunner:
    def __init__(self, kind: str, command: Command, config: SandboxConfig) -> None:
        self.kind, self.command, self.config = kind, command, config
        interpreter = shutil.which(command.interpreter)
        if interpreter is None:
            raise SandboxError(
                f"{kind} programs need `{command.interpreter}`, which is not on PATH: "
                f"{command.install}"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="codelutra-")
        self.process = ServerProcess(
            "command_server.py", self._folder.name, interpreter, socket_type=socket.SOCK_STREAM
        )

    def wait_ready(self) -> None:
        """Raises SandboxError when its fences do not hold here or its interpreter does not run."""
        answer = self._receive(START_TIMEOUT_S)
        if "error" in answer:
            raise SandboxError(cannot_start(f"{self.kind} sandbox", answer["error"]))
        empty = Program(self.kind, "", command=self.command)
        result = next(self.run([empty]))
        if result.outcome != "ok":
            said = result.output.strip().partition("\n")[0]
            reason = f"{result.detail}: {said}: {self.command.install}"
            raise SandboxError(cannot_start(f"{self.kind} sandbox", reason))

    def run(self, programs: Sequence[Program]) -> Iterator[ExecutionResult]:
        """Raises ServerDied when the server is lost."""
        for program in programs:
            cpu_s = limit_of(program, self.config)
            self._send(self._job(program, cpu_s))
            yield interpret(self.command, self._receive(self._patience_s(program, cpu_s)), cpu_s)

    def _job(self, program: Program, cpu_s: float) -> dict[str, Any]:
        return {
            "program": self.command.program,
            "source": program.source,
            "run": self._filled_in(self.command.run),
            "check": self._filled_in(self.command.check),
            "environment": FIXED | dict(self.command.environment),
            "stdin": program.stdin,
            "cpu_s": cpu_s,
            "memory_mb": self.config.memory_mb,
        }

    def _filled_in(self, arguments: Sequence[str]) -> list[str]:
        memory_mb = str(self.config.memory_mb)
        return [
            argument.replace("{program}", self.command.program).replace("{memory_mb}", memory_mb)
            for argument in arguments
        ]

    def _patience_s(self, program: Program, cpu_s: float) -> float:
        return hung_s(cpu_s) * (len(program.stdin) + 1)  # and the check

    def _send(self, message: dict[str, Any]) -> None:
        payload = json.dumps(message).encode()
        try:
            self.process.control.sendall(len(payload).to_bytes(8, "big") + payload)
        except OSError as error:
            raise ServerDied(f"the command server is gone: {error}") from None

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        self.process.control.settimeout(timeout_s)
        size = int.from_bytes(self._read(8), "big")
        if size > MAX_MESSAGE:
            raise ServerDied("the command server sends nonsense")
        return json.loads(self._read(size))  # type: ignore[no-any-return]

    def _read(self, size: int) -> bytes:
        message = bytearray()
        while len(message) < size:
            try:
                part = self.process.control.recv(min(size - len(message), 1 << 20))
            except OSError as error:
                raise ServerDied(f"the command server does not answer: {error}") from None
            if not part:
                raise ServerDied("the command server ended")
            message += part
        return bytes(message)

    def hang_up(self) -> None:
        self.process.hang_up()

    def close(self) -> None:
        self.process.close()
        self._folder.cleanup()


def interpret(command: Command, answer: dict[str, Any], limit_s: float) -> ExecutionResult:
    """The outcome of the last run, or that of the check when this says why nothing ran."""
    status, cpu_s, timed_out, printed, errors = answer["runs"][-1]
    seconds = sum(run[1] for run in answer["runs"])
    output = (printed + errors)[:MAX_OUTPUT].encode(errors="replace").decode()

    def result(outcome: str, detail: str, value: Any = None) -> ExecutionResult:
        return ExecutionResult(outcome, value, detail, seconds, output)  # type: ignore[arg-type]

    if status == -signal.SIGXFSZ:
        return result("runtime_error", "printed more than 1 MiB")
    if status == -signal.SIGXCPU or (timed_out and cpu_s >= limit_s):
        return result("timeout", f"used more than {limit_s:g} s of CPU time")
    if timed_out:
        wall_s = limit_s * WALL_FACTOR
        return result("timeout", f"still running after {wall_s:g} s ({cpu_s:.1f} s of CPU time)")
    if status == 0:
        return result("ok", "", ["list", [run[3] for run in answer["runs"]]])
    failed, _, _, _, complaint = answer["check"]
    if failed:
        return result("syntax_error", describe(command, complaint, line_first=True))
    return result("runtime_error", describe(command, errors) or ending(status))


def describe(command: Command, errors: str, line_first: bool = False) -> str:
    """`what (line N)`, a syntax error as `line N: what`; '' when stderr does not say."""
    what = re.search(command.error, errors, re.MULTILINE)
    if what is None:
        return "line 1: it does not parse" if line_first else ""
    where = re.search(re.escape(command.program) + r"(?::| line )(\d+)", errors)
    line = where[1] if where else "1"
    text = what[1][:MAX_DETAIL]
    if line_first:
        return f"line {line}: {text}"
    return f"{text} (line {line})" if where else text
