"""SQL worker: runs one statement at a time on read-only connections it keeps open.

Run by path with a clean environment, never imported by CodeLutra: `python sql_server.py
CONTROL_FD PARENT_PID MEMORY_MB fenced|unfenced`. Each message on the socket is a length and JSON:
{database, sql, cpu_s, max_rows} in, {outcome, detail, cpu_s, columns, rows, has_bytes} out. It
cannot stop one long opcode: the trusted side kills it.
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

Reply = dict[str, Any]


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


class Rows:
    """An answer's rows as the inside of a JSON list, encoded some at a time."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.number = self.size = 0  # rows; characters of JSON
        self.has_bytes = False
        self._encode = json.JSONEncoder(separators=(",", ":"), default=self._hex).encode

    def add(self, rows: list[Any]) -> None:
        self.parts.append(self._encode(rows)[1:-1])
        self.number += len(rows)
        self.size += len(self.parts[-1])

    def _hex(self, cell: bytes) -> dict[str, str]:
        self.has_bytes = True
        return {"hex": cell.hex()}


class Runner:
    def __init__(self) -> None:
        self.clock = Clock()
        self.connections: dict[tuple[str, int, int], apsw.Connection] = {}
        self.deadline = 0.0
        self.denied = ""

    def run(self, job: dict[str, Any]) -> Reply:
        started = time.process_time()
        try:
            reply = self._run(job, started + job["cpu_s"])
        except Refused as refusal:
            reply = {"outcome": refusal.outcome, "detail": str(refusal)}
        except apsw.Error as error:
            reply = self._classify(error, job["cpu_s"], job["sql"])
        except (ValueError, MemoryError) as error:  # a null byte; text that is no UTF-8
            reply = failure("runtime_error", f"{type(error).__name__}: {error}")
        return reply | {"cpu_s": time.process_time() - started}

    def _run(self, job: dict[str, Any], deadline: float) -> Reply:
        sql = job["sql"]
        connection = self._connection(job["database"])
        if problem := unfit(sql):
            raise Refused("runtime_error", problem)
        self.deadline, self.denied, self.clock.was_read = deadline, "", False
        cursor = connection.cursor()
        widths: list[int] = []

        def note_width(cursor: apsw.Cursor, *_: Any) -> bool:
            widths.append(len(cursor.get_description()))
            if widths[-1] == 0:
                self.denied = "a statement that is no query"
            return widths[-1] > 0

        cursor.exec_trace = note_width  # a query without rows has no description afterwards
        cursor.execute(sql)
        rows = Rows()
        while some := list(itertools.islice(cursor, ROWS_AT_ONCE)):
            rows.add(some)
            if rows.number > job["max_rows"]:
                cursor.close(True)
                raise Refused("runtime_error", f"more than {job['max_rows']} rows")
            if rows.size > MAX_RESULT_BYTES:
                cursor.close(True)
                raise Refused("runtime_error", f"result larger than {MAX_RESULT_BYTES >> 20} MiB")
        if self.clock.was_read:
            raise Refused("forbidden", "reads the clock ('now'): not the same answer twice")
        return {
            "outcome": "ok",
            "detail": "",
            "columns": widths[0],
            "has_bytes": rows.has_bytes,
            "rows": rows,
        }

    def _classify(self, error: apsw.Error, cpu_s: float, sql: str) -> Reply:
        message = str(error) + line_of(error, sql)
        if isinstance(error, apsw.InterruptError):
            return failure("timeout", f"used more than {cpu_s:g} s of CPU time")
        if self.denied:
            return failure("forbidden", f"{schema_change(sql) or self.denied} is not allowed")
        if isinstance(error, apsw.NoMemError):
            return failure("runtime_error", "MemoryError: out of memory")
        if isinstance(error, apsw.TooBigError):
            return failure("runtime_error", too_big(sql))
        if isinstance(error, apsw.SQLError) and SYNTAX.search(message):
            return failure("syntax_error", message)
        return failure("runtime_error", message)

    def _connection(self, database: str) -> apsw.Connection:
        """The kept connection of this very file (path, size, time of change)."""
        try:
            stat = os.stat(database)
        except OSError as error:
            raise Refused("harness_error", f"database {database}: {error.strerror}") from None
        key = (database, stat.st_size, stat.st_mtime_ns)
        if key not in self.connections:
            if len(self.connections) >= MAX_CONNECTIONS:
                self.connections.pop(next(iter(self.connections))).close()
            try:
                self.connections[key] = self._open(database)
            except apsw.Error as error:
                raise Refused("harness_error", f"database {database}: {error}") from None
        return self.connections[key]

    def _open(self, database: str) -> apsw.Connection:
        connection = apsw.Connection(
            f"file:{quote(os.path.abspath(database))}?mode=ro&immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
            vfs="clockless",
            statementcachesize=0,
        )
        for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
            connection.config(option, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0)
        connection.pragma("temp_store", 2)
        connection.pragma("query_only", 1)
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


def failure(outcome: str, detail: str) -> Reply:
    return {"outcome": outcome, "detail": detail}


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
        control.sendall(framed({"error": str(error)}))
        return
    control.sendall(framed({"ready": True}))
    serve(control, runner)


def put_up_fences(parent: int, memory_bytes: int) -> None:
    fences.die_with(parent)
    fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)
    fences.hide_memory()
    fences.restrict(None, fences.virtual_memory() + memory_bytes)
    seccomp.install(seccomp.build_filter(may_open=True, may_talk=True))


def serve(control: socket.socket, runner: Runner) -> None:
    """Answers until the parent is gone; an answer waits FLUSH_S for others, and for one job."""
    jobs, answers, flushed_at = bytearray(), bytearray(), 0.0
    while True:
        size = 8 + int.from_bytes(jobs[:8], "big")
        has_job = 8 <= size <= len(jobs)
        if answers and (not has_job or time.monotonic() - flushed_at > FLUSH_S):
            control.sendall(answers)
            answers.clear()
            flushed_at = time.monotonic()
        if has_job:
            job = json.loads(jobs[8:size])
            del jobs[:size]
            answers += framed(runner.run(job))
        elif part := control.recv(1 << 18):
            jobs += part
        else:
            return


def framed(message: dict[str, Any]) -> bytes:
    rows = message.pop("rows", None)
    text = json.dumps(message, separators=(",", ":"))
    if rows is not None:
        text = f'{text[:-1]},"rows":[{",".join(rows.parts)}]}}'
    payload = text.encode("ascii")
    return len(payload).to_bytes(8, "big") + payload


if __name__ == "__main__":
    main()
