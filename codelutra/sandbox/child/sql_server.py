"""SQL worker: runs one statement at a time on read-only connections it keeps open.

Run by path with a clean environment, never imported by CodeLutra: `python sql_server.py
CONTROL_FD PARENT_PID MEMORY_MB fenced|unfenced`. Each message on the socket is a length and JSON:
{cpu_s, max_rows, queries: [[database, quoted_strings, backwards, sql], ...]} in; out, some at a
time, {has_bytes, answers: [[outcome, detail, cpu_s, columns, rows], ...]}, in the queries' order.
It cannot stop one long opcode: the trusted side kills it.
"""

import itertools
import json
import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

sys.path.insert(0, str(Path(__file__).parent))
import fences
import seccomp
from sql_text import line_of, schema_change, unfit

del sys.path[0]

MAX_RESULT_BYTES = 4 << 20
TOO_LARGE = f"result larger than {MAX_RESULT_BYTES >> 20} MiB"
MAX_CONNECTIONS = 16
ROWS_AT_ONCE = 64
FLUSH_S = 0.002  # waking the other side costs more than a light query
PROGRESS_STEPS = 20_000  # virtual machine steps between two looks at the clock
ALLOWED = {apsw.SQLITE_READ, apsw.SQLITE_SELECT, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
DENIED_FUNCTIONS = {
    *("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"),
    *("random", "randomblob"),  # not the same twice
}
LIMITS = {
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LENGTH: MAX_RESULT_BYTES,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 64 << 10,
    apsw.SQLITE_LIMIT_COLUMN: 200,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 200,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    apsw.SQLITE_LIMIT_VDBE_OP: 100_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
SYNTAX = re.compile(r"syntax error|incomplete input|unrecognized token", re.IGNORECASE)

Answer = tuple[str, str, float, int, list[Any]]  # outcome, detail, CPU seconds, columns, rows
Query = tuple[str, bool, bool, str]  # database, may "text" be a string, rows backwards, SQL
Place = tuple[str, bool, bool]  # what is a connection of its own
NO_ROWS: list[Any] = []


class Clock(apsw.VFS):
    """The file system with a fixed clock that knows whether somebody looked at it.

    The authorizer cannot see that a date function is asked for 'now'; this sees every way.
    """

    def __init__(self) -> None:
        super().__init__("clockless", base="")
        self.was_read = False

    def xCurrentTime(self) -> float:
        self.was_read = True
        return 2451545.0

    def xCurrentTimeInt64(self) -> int:
        self.was_read = True
        return 211813488000000


class Refused(Exception):
    """A limit or rule of ours; carries the outcome and the line for a person."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


class Runner:
    def __init__(self) -> None:
        self.clock = Clock()
        self.connections: dict[tuple[Place, int, int], apsw.Connection] = {}
        self.looked_up: dict[Place, apsw.Connection] = {}  # since the last message
        self.deadline = 0.0
        self.denied = ""

    def run(self, query: Query, cpu_s: float, max_rows: int) -> Answer:
        started = time.process_time()
        self.deadline, columns, rows = started + cpu_s, 0, NO_ROWS
        outcome, detail = "ok", ""
        try:
            columns, rows = self._run(query, max_rows)
        except Refused as refusal:
            outcome, detail = refusal.outcome, str(refusal)
        except apsw.Error as error:
            outcome, detail = self._classify(error, cpu_s, query[-1])
        except (ValueError, MemoryError) as error:  # a null byte; text that is no UTF-8
            outcome, detail = "runtime_error", f"{type(error).__name__}: {error}"
        return outcome, detail, time.process_time() - started, columns, rows

    def _run(self, query: Query, max_rows: int) -> tuple[int, list[Any]]:
        connection, sql = self._connection(*query[:3]), query[3]
        if problem := unfit(sql):
            raise Refused("runtime_error", problem)
        self.denied, self.clock.was_read = "", False
        cursor = connection.cursor()
        widths: list[int] = []

        def note_width(cursor: apsw.Cursor, *_: Any) -> bool:
            if widths:  # only a comment can follow, see `unfit`
                return True
            widths.append(len(cursor.get_description()))
            if widths[-1] == 0:
                self.denied = "a statement that is no query"
            return widths[-1] > 0

        cursor.exec_trace = note_width  # a query without rows has no description afterwards
        cursor.execute(sql)
        rows = list(itertools.islice(cursor, ROWS_AT_ONCE))
        some, size = rows, 0
        while len(some) == ROWS_AT_ONCE:  # there may be more
            some = list(itertools.islice(cursor, ROWS_AT_ONCE))
            rows += some
            size += sum(len(cell) for row in some for cell in row if type(cell) in (str, bytes))
            if len(rows) > max_rows or size > MAX_RESULT_BYTES:
                break
        if len(rows) > max_rows:
            raise Refused("runtime_error", f"more than {max_rows} rows")
        if size > MAX_RESULT_BYTES:
            raise Refused("runtime_error", TOO_LARGE)
        if self.clock.was_read:
            raise Refused("forbidden", "reads the clock ('now'): not the same answer twice")
        return widths[0], rows

    def _classify(self, error: apsw.Error, cpu_s: float, sql: str) -> tuple[str, str]:
        message = str(error) + line_of(error, sql)
        if isinstance(error, apsw.InterruptError):
            return ("timeout", f"used more than {cpu_s:g} s of CPU time")
        if self.denied:
            return ("forbidden", f"{schema_change(sql) or self.denied} is not allowed")
        if isinstance(error, apsw.NoMemError):
            return ("runtime_error", "MemoryError: out of memory")
        if isinstance(error, apsw.TooBigError):
            return ("runtime_error", too_big(sql))
        if isinstance(error, apsw.SQLError) and SYNTAX.search(message):
            return ("syntax_error", message)
        return ("runtime_error", message)

    def _connection(self, database: str, quoted: bool, backwards: bool) -> apsw.Connection:
        """The kept connection of this very file (path, size, time of change)."""
        place = database, quoted, backwards
        if known := self.looked_up.get(place):
            return known
        try:
            stat = os.stat(database)
        except OSError as error:
            raise Refused("harness_error", f"database {database}: {error.strerror}") from None
        key = (place, stat.st_size, stat.st_mtime_ns)
        if key not in self.connections:
            if len(self.connections) >= MAX_CONNECTIONS:
                self.connections.pop(next(iter(self.connections))).close()
                self.looked_up.clear()
            try:
                self.connections[key] = self._open(*place)
            except apsw.Error as error:
                raise Refused("harness_error", f"database {database}: {error}") from None
        self.looked_up[place] = self.connections[key]
        return self.connections[key]

    def _open(self, database: str, quoted_strings: bool, backwards: bool) -> apsw.Connection:
        connection = apsw.Connection(
            # apsw's VFS takes SQLite's "fine, but a symbolic link" for an error.
            f"file:{quote(os.path.realpath(database))}?mode=ro&immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs="clockless",
            statementcachesize=0,
        )
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, int(quoted_strings))
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0)
        connection.pragma("temp_store", 2)
        connection.pragma("query_only", 1)
        connection.pragma("reverse_unordered_selects", int(backwards))
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # is it a database?
        for name, value in LIMITS.items():
            connection.limit(name, value)
        connection.authorizer = self._authorize
        connection.set_progress_handler(lambda: time.process_time() > self.deadline, PROGRESS_STEPS)
        return connection

    def _authorize(self, action: int, first: str | None, second: str | None, *_: Any) -> int:
        if action in ALLOWED and not (
            action == apsw.SQLITE_FUNCTION and str(second).lower() in DENIED_FUNCTIONS
        ):
            return apsw.SQLITE_OK
        name = str(apsw.mapping_authorizer_function[action]).removeprefix("SQLITE_")
        self.denied = f"{second}()" if name == "FUNCTION" else name.replace("_", " ")
        return apsw.SQLITE_DENY


def too_big(sql: str) -> str:
    """SQLite says of both that a string is too big."""
    if len(sql.encode(errors="replace")) > LIMITS[apsw.SQLITE_LIMIT_SQL_LENGTH]:
        return f"query longer than {LIMITS[apsw.SQLITE_LIMIT_SQL_LENGTH] >> 10} KiB"
    return f"a value larger than {MAX_RESULT_BYTES >> 20} MiB"


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    memory_bytes = int(sys.argv[3]) << 20
    runner = Runner()
    apsw.hard_heap_limit(memory_bytes)
    try:
        if sys.argv[4] == "fenced":
            put_up_fences(int(sys.argv[2]), memory_bytes)
    except OSError as error:
        control.sendall(with_length(json.dumps({"error": str(error)}).encode()))
        return
    control.sendall(with_length(b'{"ready": true}'))
    serve(control, runner)


def put_up_fences(parent: int, memory_bytes: int) -> None:
    fences.die_with(parent)
    fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)
    fences.hide_memory()
    fences.restrict(None, fences.virtual_memory() + memory_bytes)
    seccomp.install(seccomp.build_filter(may_open=True, may_talk=True))


def serve(control: socket.socket, runner: Runner) -> None:
    """Answers until the parent is gone; an answer waits FLUSH_S for others, and for one query."""
    received = bytearray()
    while True:
        size = 8 + int.from_bytes(received[:8], "big")
        if 8 <= size <= len(received):
            job = json.loads(received[8:size])
            del received[:size]
            work(control, runner, job)
        elif part := control.recv(1 << 18):
            received += part
        else:
            return


def work(control: socket.socket, runner: Runner, job: dict[str, Any]) -> None:
    cpu_s, max_rows = job["cpu_s"], job["max_rows"]
    answers: list[Answer] = []
    flushed_at = time.monotonic()
    runner.looked_up.clear()
    for query in job["queries"]:
        if answers and time.monotonic() - flushed_at > FLUSH_S:
            control.sendall(framed(answers))
            answers.clear()
            flushed_at = time.monotonic()
        answers.append(runner.run(query, cpu_s, max_rows))
    control.sendall(framed(answers))


def framed(answers: list[Answer]) -> bytes:
    payload = message_of(answers)
    if len(payload) > MAX_RESULT_BYTES:
        for place, (_, _, cpu_s, columns, _) in enumerate(answers):
            if len(message_of(answers[place : place + 1])) > MAX_RESULT_BYTES:
                answers[place] = "runtime_error", TOO_LARGE, cpu_s, columns, NO_ROWS
        payload = message_of(answers)
    return with_length(payload)


def with_length(payload: bytes) -> bytes:
    return len(payload).to_bytes(8, "big") + payload


def message_of(answers: list[Answer]) -> bytes:
    has_bytes = False

    def as_hex(cell: bytes) -> dict[str, str]:
        nonlocal has_bytes
        has_bytes = True
        return {"hex": cell.hex()}

    text = json.dumps(answers, separators=(",", ":"), default=as_hex)
    return f'{{"has_bytes":{str(has_bytes).lower()},"answers":{text}}}'.encode("ascii")


if __name__ == "__main__":
    main()
