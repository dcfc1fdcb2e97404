"""A program's process: reads its job, runs it, writes what came of it. Fences are not its business.

The socket JOB_FD: in come a length and {memory_mb, cpu_s, setup, source, answer, has_calls,
is_brief, draws}, as `marshal` writes it; out go `S` (syntax error), or `K` and `R` (answer) or `E`
(error), before which a `P` tells a figure that is wanted; all but `K` carry a length and a payload.
With calls it asks for each by `C`, reads a length and an expression, or the end of the stream, and
writes an `R` for each. After `K` the bytes are the program's own word.
"""

import marshal
import os
import traceback
from collections.abc import Callable
from typing import Any

import encoding
import fences
import figures
import harness_judge  # noqa: F401, as `replay`
import output
import replay  # noqa: F401, for tests that are played here: see codelutra/asserts.py
import tiers

PROGRAM = "<program>"
MAX_DETAIL = 300
MAX_CALL = 80  # characters of a call shown with its error
JOB_FD = 3  # in the child: all that is open beside stdin and the file of what it prints


def read_request() -> dict[str, Any]:
    """Waits for the job: after it, untrusted code may run."""
    return marshal.loads(read_exactly(int.from_bytes(read_exactly(8), "big")))  # type: ignore[no-any-return]


def run_job(request: dict[str, Any], encoder: encoding.Encoder) -> None:
    """Runs setup, program and calls in one namespace, writes what came of it; never returns.

    A call is told only when the values of those before it are out: no program sees ahead.
    """
    # Bound before untrusted code runs: patched modules change nothing below.
    write, leave, encode, relax = write_all, os._exit, encoder.encode, fences.relax_memory
    flush = output.flusher()
    describe, unencodable = describe_error, encoding.Unencodable
    draw = figures.drawer()
    try:
        setup = compile(request["setup"], "<setup>", "exec")
        code = compile(request["source"], PROGRAM, "exec")
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        write(frame(b"S", syntax_detail(error).encode()))
        leave(0)
    write(b"K")
    tiers.draw_seeds(request["setup"] + request["source"])
    namespace: dict[str, Any] = {"__name__": "__main__"}
    answer, call, evaluate, next_call = request["answer"], "", eval, ask_call
    if request["has_calls"]:
        encoder.accept_equals()
    if request["is_brief"]:
        encode = encoder.encode_brief
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
    if request["draws"] and (figure := draw()) is not None:
        write(frame(b"P", figure))
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
