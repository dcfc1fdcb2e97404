"""Trusted side of the Python sandbox: hands a program to a fork server, reads what came back."""

import marshal
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError
from codelutra.sandbox.decoding import MAX_BYTES, TOO_LARGE, decode
from codelutra.sandbox.process import ServerDied, ServerProcess, cannot_start
from codelutra.sandbox.result import ExecutionResult, Program

START_TIMEOUT_S = 120.0  # a cold `import pandas` on a busy disk
WALL_FACTOR = 4  # wall-clock backstop, in units of the CPU time allowed
# The server ends a program itself, and allows for time without a core; only a hung server is left.
HUNG_FACTOR, HUNG_S = 20, 60.0
MAX_STREAM = 8 * MAX_BYTES  # of a thousand calls and more
MAX_REPORT = 1 << 16
LIMITS, REPORT = struct.Struct("=dd"), struct.Struct("=id?")  # as in `child/python_server.py`
FIGURE_WORDS = ("matplotlib", "seaborn", ".plot", ".hist(", ".boxplot(")
PANDAS_WORDS = ("pandas", "scipy", "sklearn", "statsmodels", "matplotlib", "seaborn")


def tier_of(program: Program) -> str:
    """The lightest fork server that has what the program's text mentions."""
    text = program.setup + program.source
    if any(word in text for word in FIGURE_WORDS):
        return "figures"
    if any(word in text for word in PANDAS_WORDS):
        return "pandas"
    return "numpy" if "numpy" in text else "bare"


def limit_of(program: Program, config: SandboxConfig) -> float:
    """CPU seconds."""
    return max(program.timeout_s, config.timeout_s)


def request_of(program: Program, config: SandboxConfig) -> bytes:
    """All that the program's process is told at first; calls follow one by one, `tests` never."""
    request = {
        "cpu_s": limit_of(program, config),
        "memory_mb": config.memory_mb,
        "setup": program.setup,
        "source": program.source,
        "answer": program.answer,
        "has_calls": bool(program.calls),
        "is_brief": program.is_brief,
        "draws": program.draws and not program.calls,
    }
    return marshal.dumps(request)  # read by the same Python


@dataclass
class Job:
    """What one child wrote, and how the server says it ended."""

    stream: bytes
    status: int  # exit code, or minus the signal
    cpu_s: float
    timed_out: bool
    output: str  # what the program printed: never part of the outcome


class CallFeed:
    """Says which call is due: each is asked for by `C` and answered by a frame."""

    def __init__(self, calls: Sequence[str]) -> None:
        self._left = list(reversed(calls))
        self._at = 1  # in the stream, behind `K`: where the program asks, or its answer begins
        self._is_told = False

    @property
    def is_over(self) -> bool:
        return not self._left

    def due(self, stream: bytearray) -> str | None:
        if self._is_told and (end := frame_end(stream, self._at)):
            self._at, self._is_told = end, False
        if self._is_told or self.is_over or stream[self._at : self._at + 1] != b"C":
            return None
        self._at, self._is_told = self._at + 1, True
        return self._left.pop()


class PythonRunner:
    """One fork server of one tier. Runs one program at a time."""

    def __init__(self, tier: str, config: SandboxConfig) -> None:
        self.tier, self.config = tier, config
        self.process = ServerProcess("python_server.py", tier, socket_type=socket.SOCK_SEQPACKET)
        self._next: socket.socket | None = None  # of the child that waits for the next job

    def wait_ready(self) -> None:
        """Raises SandboxError when the tier's libraries do not load."""
        message = self._receive(START_TIMEOUT_S)
        if message[:1] == b"E":
            raise SandboxError(cannot_start(f"Python sandbox ({self.tier})", message[1:].decode()))

    def run(self, programs: Sequence[Program]) -> Iterator[ExecutionResult]:
        """Raises ServerDied when the fork server is lost."""
        yield from map(self._run, programs)

    def _run(self, program: Program) -> ExecutionResult:
        cpu_s = limit_of(program, self.config)
        try:
            self.process.control.send(LIMITS.pack(cpu_s, cpu_s * WALL_FACTOR))
        except OSError as error:
            raise ServerDied(f"the fork server is gone: {error}") from None
        assert self._next is not None, "wait_ready comes first"
        with self._next as child:
            tell(child, request_of(program, self.config), hung_s(cpu_s))
            job = self._collect(child, program.calls, hung_s(cpu_s))
            return outcome_of(job, cpu_s, program)

    def _collect(self, ours: socket.socket, calls: Sequence[str], patience_s: float) -> Job:
        """Reads the child's stream until the server says that the child is dead.

        Hands out each call when it is asked for and those before it are answered.
        """
        control = self.process.control
        poll = select.poll()
        poll.register(ours, select.POLLIN)
        poll.register(control, select.POLLIN)
        stream = bytearray()
        feed = CallFeed(calls)
        ends_at = time.monotonic() + patience_s
        while True:
            ready = {fd for fd, _ in poll.poll(max(0.0, ends_at - time.monotonic()) * 1000)}
            if not ready:
                raise ServerDied("the fork server does not answer")
            if ours.fileno() in ready and not read_available(ours, stream):
                poll.unregister(ours)
                if len(stream) > MAX_STREAM:
                    ours.shutdown(socket.SHUT_RD)  # the writer gets EPIPE instead of blocking
            if calls and (call := feed.due(stream)) is not None:
                tell(ours, call.encode(), patience_s)
                if feed.is_over:
                    ours.shutdown(socket.SHUT_WR)
            if control.fileno() in ready:
                report = self._receive(HUNG_S)
                read_available(ours, stream)
                status, cpu_s, timed_out = REPORT.unpack_from(report)
                return Job(bytes(stream), status, cpu_s, timed_out, report[REPORT.size :].decode())

    def _receive(self, timeout_s: float) -> bytes:
        """A message of the server, and the next child where it sends one."""
        self.process.control.settimeout(timeout_s)
        try:
            message, fds, _, _ = socket.recv_fds(self.process.control, MAX_REPORT, 1)
        except OSError as error:
            raise ServerDied(f"the fork server does not answer: {error}") from None
        if not message:
            raise ServerDied("the fork server ended")
        if fds:
            self._next = socket.socket(fileno=fds[0])
        return message

    def hang_up(self) -> None:
        self.process.hang_up()

    def close(self) -> None:
        self.process.close()
        if self._next is not None:
            self._next.close()


def hung_s(cpu_s: float) -> float:
    """After which only the server can be at fault."""
    return HUNG_S + cpu_s * WALL_FACTOR * HUNG_FACTOR


def tell(ours: socket.socket, payload: bytes, timeout_s: float) -> None:
    """A child that does not read is ended at its limit, and the reason told elsewhere."""
    ours.settimeout(timeout_s)
    try:
        ours.sendall(len(payload).to_bytes(8, "big") + payload)
    except TimeoutError:
        raise ServerDied("the fork server does not answer") from None
    except OSError:
        pass  # the child is gone
    ours.setblocking(False)


def read_available(ours: socket.socket, stream: bytearray) -> bool:
    """Appends what is there; False when no more is wanted (end of stream, or over the cap)."""
    while len(stream) <= MAX_STREAM:
        try:
            part = ours.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not part:
            return False
        stream += part
    return False


def outcome_of(job: Job, timeout_s: float, program: Program) -> ExecutionResult:
    """The outcome, with what people are shown beside it."""
    figure = None
    if program.draws and job.stream[:2] == b"KP" and (end := frame_end(job.stream, 1)):
        figure = unframe(job.stream[1:end], b"P")
        job = replace(job, stream=b"K" + job.stream[end:])
    result = interpret(job, timeout_s, len(program.calls))
    return replace(result, output=job.output, figure=figure)


def interpret(job: Job, timeout_s: float, num_calls: int) -> ExecutionResult:
    """The outcome; how the process ended counts before anything it wrote."""

    def result(outcome: str, detail: str) -> ExecutionResult:
        return ExecutionResult(outcome, None, detail, job.cpu_s)  # type: ignore[arg-type]

    over_cpu = job.cpu_s >= timeout_s
    if job.status == -signal.SIGXCPU or (job.timed_out and over_cpu):
        return result("timeout", f"used more than {timeout_s:g} s of CPU time")
    if job.timed_out:
        wall_s = timeout_s * WALL_FACTOR
        return result(
            "timeout", f"still running after {wall_s:g} s ({job.cpu_s:.1f} s of CPU time)"
        )
    verdict, body = job.stream[:1], job.stream[1:]
    if verdict == b"S":
        return result("syntax_error", unframe(job.stream, b"S").decode("utf-8", "replace"))
    if verdict != b"K":
        if job.status == -signal.SIGSEGV:  # only the compiler had seen the program
            return result("syntax_error", "line 1: too complex to compile")
        return result("harness_error", f"the child {ending(job.status)} before the program began")
    if len(job.stream) > MAX_STREAM:
        return result("runtime_error", TOO_LARGE)
    if job.status != 0 or not body:
        return result("runtime_error", f"{ending(job.status)} without a result")
    return untrusted_reply(body, job.cpu_s, num_calls)


def untrusted_reply(body: bytes, cpu_s: float, num_calls: int) -> ExecutionResult:
    """What the program's process wrote after untrusted code began: values or an error, no more."""
    values = []
    try:
        while body[:1] == b"C" and (end := frame_end(body, 1)) and body[1:2] == b"R":
            values.append(decode(unframe(body[1:end], b"R")))
            body = body[end:]
        if num_calls and len(values) == num_calls and body in (b"", b"C"):
            return ExecutionResult("ok", ["list", values], "", cpu_s)
        if not num_calls and body[:1] == b"R":
            return ExecutionResult("ok", decode(unframe(body, b"R")), "", cpu_s)
        detail = unframe(body.removeprefix(b"C"), b"E").decode("utf-8", "replace")
    except ValueError as error:
        detail = f"malformed result: {error}"
    return ExecutionResult("runtime_error", None, detail, cpu_s)


def frame_end(stream: bytes | bytearray, start: int) -> int | None:
    """Where the frame that begins at `start` ends; None while it is not whole."""
    end = start + 9 + int.from_bytes(stream[start + 1 : start + 9], "big")
    return end if len(stream) >= max(end, start + 9) else None


def unframe(body: bytes, tag: bytes) -> bytes:
    """The payload of a tagged frame that fills `body` exactly; else ValueError."""
    if body[:1] != tag or len(body) < 9 or int.from_bytes(body[1:9], "big") != len(body) - 9:
        raise ValueError("no frame")
    return body[9:]


def ending(status: int) -> str:
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
