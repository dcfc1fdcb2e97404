"""What goes into the sandbox and what comes out. The gold is in neither."""

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "syntax_error", "runtime_error", "timeout", "forbidden", "harness_error"]


@dataclass(frozen=True)
class Command:
    """How programs of a command-line language are run: a fresh process of its interpreter each.

    In the arguments `{program}` is the file of the source and `{memory_mb}` the limit. `check`
    parses the file, runs nothing of it and fails when it cannot. `error` finds in stderr what went
    wrong (group 1); the first `PROGRAM:N` or `PROGRAM line N` there says where.
    """

    interpreter: str  # looked for on PATH
    run: tuple[str, ...]
    check: tuple[str, ...]
    program: str  # name of the file
    error: str
    install: str  # what to do where the interpreter is missing
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Program:
    """Untrusted `source` and the trusted inputs it runs on.

    `calls` are expressions evaluated after it; then the value is the list of theirs. `tests` is
    trusted code of `codelutra.asserts` that judges that list; the program's process never gets it.
    `is_brief`: a long value of a call may come as a digest. `timeout_s` counts where it is more
    than the sandbox's own. `quoted_strings`: in SQL, "text" that names no column is a string, as
    SQLite has it by default. `backwards`: rows that no ORDER BY puts in order come the other way
    round. `draws`: the figure that it leaves open is wanted, for people to see. `command`: how a
    program of a command-line language is run, once for each text in `stdin`; the value is the list
    of what it printed.
    """

    kind: str
    source: str
    database: str = ""
    setup: str = ""
    answer: str = "result"
    calls: tuple[str, ...] = ()
    tests: str = ""
    quoted_strings: bool = False
    backwards: bool = False
    is_brief: bool = False
    draws: bool = False
    timeout_s: float = 0.0
    command: Command | None = None
    stdin: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class ExecutionResult:
    """What the sandbox saw: on `ok` the decoded value, else one line of evidence.

    `value` is a type-tagged tree that only `grading` reads. `seconds` is CPU time. `output` is
    the beginning of what a program printed, `figure` what it drew, None for nothing: width and
    height (4 bytes each) and RGBA pixels as the untrusted process says, empty where drawing failed.
    Both are for people, never for a verdict.
    """

    outcome: Outcome
    value: Any = None
    detail: str = ""
    seconds: float = 0.0
    output: str = ""
    figure: bytes | None = None
