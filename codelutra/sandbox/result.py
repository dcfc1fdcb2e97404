"""What goes into the sandbox and what comes out. The gold is in neither."""

from dataclasses import dataclass
from typing import Any, Literal

from codelutra.tasks.task import TaskKind

Outcome = Literal["ok", "syntax_error", "runtime_error", "timeout", "forbidden", "harness_error"]


@dataclass(frozen=True)
class Program:
    """Untrusted `source` and the trusted inputs it runs on.

    `calls` are expressions evaluated after it; then the value is the list of theirs. `tests` is
    trusted code of `codelutra.asserts` that judges that list; the program's process never gets it.
    `is_brief`: a long value of a call may come as a digest. `timeout_s` counts where it is more
    than the sandbox's own. `quoted_strings`: in SQL, "text" that names no column is a string, as
    SQLite has it by default.
    """

    kind: TaskKind
    source: str
    database: str = ""
    setup: str = ""
    answer: str = "result"
    calls: tuple[str, ...] = ()
    tests: str = ""
    quoted_strings: bool = False
    is_brief: bool = False
    timeout_s: float = 0.0


@dataclass(frozen=True)
class ExecutionResult:
    """What the sandbox saw: on `ok` the decoded value, else one line of evidence.

    `value` is a type-tagged tree that only `grading` reads. `seconds` is CPU time. `output` is
    the beginning of what a Python program printed: for people to read, never for a verdict.
    """

    outcome: Outcome
    value: Any = None
    detail: str = ""
    seconds: float = 0.0
    output: str = ""
