"""Fork server of one tier: imports its libraries once, then forks a child for every program.

Run by path with a clean environment, never imported by CodeLutra: `python python_server.py
CONTROL_FD PARENT_PID TIER`. It never sees a program: the other side talks to the child itself.

The next child is always there, behind its fences, before it has a job. Control socket: {ready}
with the first child's socket attached, then for each job {cpu_s, wall_s} and, when its child is
dead, {status, cpu_s, timed_out, output} with the next child's socket. Job socket: the child reads
a length and JSON {memory_mb, cpu_s, setup, source, answer, has_calls}, then writes `S` (syntax
error) or `K` and `R` (answer) or `E` (error); `S`, `R` and `E` carry a length and a payload. With
calls it asks for each by `C`, reads a length and an expression, or the end of the stream, and
writes an `R` for each. After `K` the bytes are the program's own word.
"""

import contextlib
import dataclasses
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import encoding
import fences
import landlock
import output
import replay  # noqa: F401, for tests that are played here: see codelutra/asserts.py
import seccomp

del sys.path[0]

PROGRAM = "<program>"
MAX_DETAIL = 300
MAX_CALL = 80  # characters of a call shown with its error
JOB_FD = 3  # in the child: all that is open beside stdin and the file of what it prints
COMMON = (
    "bisect calendar cmath collections collections.abc copy csv dataclasses datetime decimal enum "
    "fractions functools heapq io itertools json math operator random re statistics string "
    "textwrap typing unicodedata zoneinfo"
)
MODULES = {
    "bare": COMMON,
    "numpy": f"{COMMON} numpy numpy.fft numpy.linalg numpy.random numpy.ma",
    "pandas": f"{COMMON} numpy numpy.fft numpy.linalg numpy.random numpy.ma pandas "
    "pandas.io.formats.format pandas.io.formats.csvs pandas.io.formats.html pandas.core.strings",
}


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    fences.die_with(int(sys.argv[2]))
    fences.prctl(fences.PR_SET_CHILD_SUBREAPER, 1)
    try:
        encoder = load_tier(sys.argv[3])
        ruleset = landlock.create_ruleset()
        # Without Landlock nothing says which files: then none can be opened.
        calls = seccomp.build_filter(may_open=ruleset is not None, may_talk=False)
        seccomp.probe(calls)
    except Exception as error:  # the sandbox door: the trusted side raises it
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    output.replace_streams()
    serve(control, encoder, Fence(ruleset, calls, fences.virtual_memory()))
    os._exit(0)  # a large interpreter takes its time to tidy up


@dataclasses.dataclass(frozen=True)
class Fence:
    """Prepared once, put up in every child."""

    ruleset: int | None  # Landlock
    calls: bytes  # seccomp
    memory: int  # address space of the warm server, bytes


def load_tier(tier: str) -> encoding.Encoder:
    """Imports the tier's libraries and uses them once, so that children find everything warm."""
    # pandas would store strings in pyarrow, which starts threads; a fork must have none.
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    for name in MODULES[tier].split():
        __import__(name)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    encoder = encoding.Encoder(numpy, pandas)
    if pandas is not None:
        namespace: dict[str, Any] = {"pd": pandas}
        exec(
            "f = pd.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]})\n"
            "g = f.merge(f.groupby('k').v.agg(['sum', 'mean']).reset_index())\n"
            "g = g.sort_values('v').pivot_table(index='k', values='v')\n"
            "str(g)\n",
            namespace,
        )
        encoder.encode(namespace["g"])
    else:
        encoder.encode([1, 2.0, "three"])
    gc.collect()
    gc.freeze()
    return encoder


@dataclasses.dataclass(frozen=True)
class Child:
    """A fork that waits for its job."""

    pid: int
    socket: socket.socket  # the other side's end
    printed: int  # the file of what it prints


def serve(control: socket.socket, encoder: encoding.Encoder, fence: Fence) -> None:
    """Runs one job after the other until the parent is gone."""
    child = fork_child(encoder, fence)
    tell(control, {"ready": True}, child)
    while message := control.recv(4096):
        running, child = child, fork_child(encoder, fence)  # while that one runs, if a core is free
        timed_out = watch(running.pid, control, json.loads(message))
        kill_group(running.pid)
        _, status, usage = os.wait4(running.pid, 0)
        kill_strays(child.pid)
        report = {
            "status": os.waitstatus_to_exitcode(status),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "timed_out": timed_out,
            "output": output.read_and_close(running.printed),
        }
        tell(control, report, child)


def tell(control: socket.socket, message: dict[str, Any], child: Child) -> None:
    with child.socket:
        socket.send_fds(control, [json.dumps(message).encode()], [child.socket.fileno()])


def fork_child(encoder: encoding.Encoder, fence: Fence) -> Child:
    server = os.getpid()
    theirs, ours = socket.socketpair()
    printed = output.new_file()
    pid = os.fork()
    if pid == 0:
        try:
            fences.die_with(server)
            output.direct_to(printed)
            run_job(prepare_child(ours.detach(), fence), encoder)
        finally:
            os._exit(1)
    ours.close()
    return Child(pid, theirs, printed)


def watch(child: int, control: socket.socket, limits: dict[str, float]) -> bool:
    """Waits for the child's end or a limit; True at a limit. A parent that went away ends both."""
    pidfd = os.pidfd_open(child)
    ends_at = time.monotonic() + limits["wall_s"]
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(control, select.POLLIN)
    try:
        while True:
            cpu_left = limits["cpu_s"] - fences.cpu_seconds(child)
            wall_left = ends_at + fences.starved_seconds(child) - time.monotonic()
            left = min(cpu_left, wall_left)
            if left <= 0:
                return True
            ready = {fd for fd, _ in poll.poll(max(10, left * 1000))}
            if pidfd in ready:
                return False
            if ready:  # nothing is ever sent while a job runs: the parent closed its end
                kill_group(child)
                kill_strays(0)
                os._exit(0)
    finally:
        os.close(pidfd)


def kill_group(child: int) -> None:
    """The child leads its own session, but may not have got there yet."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)


def kill_strays(spared: int) -> None:
    """Kills what left the child's group: as subreaper this server has inherited all of it."""
    while strays := fences.children() - {spared}:
        for stray in strays:
            kill_group(stray)
            os.waitpid(stray, 0)


def prepare_child(job_fd: int, fence: Fence) -> dict[str, Any]:
    """Puts up every fence and waits for the job: after it, untrusted code may run."""
    os.setsid()
    fences.drop_capabilities()
    fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)
    if fence.ruleset is not None:
        landlock.enter(fence.ruleset)
    if job_fd != JOB_FD:
        os.dup2(job_fd, JOB_FD)
    os.closerange(JOB_FD + 1, 4096)
    sys.dont_write_bytecode = True
    sys.argv = [PROGRAM]
    fences.hide_memory()
    seccomp.install(fence.calls)
    request = json.loads(read_exactly(int.from_bytes(read_exactly(8), "big")))
    memory = fence.memory + (int(request["memory_mb"]) << 20)
    fences.restrict(request["cpu_s"], memory, output.MAX_OUTPUT)
    return request  # type: ignore[no-any-return]


def run_job(request: dict[str, Any], encoder: encoding.Encoder) -> None:
    """Runs setup, program and calls in one namespace, writes what came of it; never returns.

    A call is told only when the values of those before it are out: no program sees ahead.
    """
    # Bound before untrusted code runs: patched modules change nothing below.
    write, leave, encode, relax = write_all, os._exit, encoder.encode, fences.relax_memory
    flush = output.flusher()
    describe, unencodable = describe_error, encoding.Unencodable
    try:
        setup = compile(request["setup"], "<setup>", "exec")
        code = compile(request["source"], PROGRAM, "exec")
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        write(frame(b"S", syntax_detail(error).encode()))
        leave(0)
    write(b"K")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    answer, call, evaluate, next_call = request["answer"], "", eval, ask_call
    if request["has_calls"]:
        encoder.accept_equals()
    try:
        exec(setup, namespace)
        exec(code, namespace)
        while request["has_calls"] and (call := next_call(write)):
            write(frame(b"R", encode(evaluate(call, namespace))))
        if request["has_calls"]:
            reply = b""
        elif answer not in namespace:
            reply = frame(b"E", f"no value in `{answer}`".encode())
        else:
            reply = frame(b"R", encode(namespace[answer]))
    except unencodable as error:
        reply = frame(b"E", (str(error) + within(call)).encode("utf-8", "replace"))
    except BaseException as error:  # the sandbox door: SystemExit and KeyboardInterrupt are data
        relax()
        reply = frame(b"E", (describe(error) + within(call)).encode("utf-8", "replace"))
    flush()
    write(reply)
    leave(0)


def write_all(payload: bytes, write: Callable[[int, bytes], int] = os.write) -> None:
    while payload:
        payload = payload[write(JOB_FD, payload) :]


def ask_call(write: Callable[[bytes], None]) -> str:
    """The next call, '' after the last."""
    write(b"C")
    first = os.read(JOB_FD, 1)
    return read_exactly(int.from_bytes(first + read_exactly(7), "big")).decode() if first else ""


def read_exactly(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(JOB_FD, min(size, 1 << 20))
        if not part:
            os._exit(1)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def frame(tag: bytes, payload: bytes) -> bytes:
    return tag + len(payload).to_bytes(8, "big") + payload


def syntax_detail(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno or 1}: {error.msg}"[:MAX_DETAIL]
    return f"line 1: {error or type(error).__name__}"[:MAX_DETAIL]


def within(call: str) -> str:
    return f" in {call[:MAX_CALL]}" if call else ""


def describe_error(error: BaseException) -> str:
    """`Type: message (line N)`, N being the innermost line of the program itself."""
    line = where = None
    for step, number in traceback.walk_tb(error.__traceback__):
        if step.f_code.co_filename in (PROGRAM, "<setup>"):
            line, where = number, step.f_code.co_filename
    try:
        message = str(error)[:MAX_DETAIL]
    except BaseException:  # a hostile __str__
        message = ""
    name = type(error).__name__
    text = f"{name}: {message}" if message else name
    if line is None:
        return text
    return f"{text} ({'setup ' if where == '<setup>' else ''}line {line})"


if __name__ == "__main__":
    main()
