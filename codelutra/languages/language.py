"""What CodeLutra has to know of a language; docs/languages.md shows how one is added."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from codelutra.evidence import expected_got
from codelutra.sandbox import Command, ExecutionResult, Program

if TYPE_CHECKING:  # a task asks its language for its rules
    from codelutra.tasks.task import Task


class Language(ABC):
    """One kind of task. `command` where programs are run by an interpreter of their own."""

    kind: ClassVar[str]  # as tasks name it
    fences: ClassVar[frozenset[str]]  # words behind ``` that open a program; plain ``` does, too
    # How a line looks that begins a program, without the space before it. Where nothing is said,
    # text without fences is a program as it stands. `clause` is of lines that may be a part of a
    # program, right or with a slip, though they look like a sentence.
    opening: ClassVar[re.Pattern[str] | None] = None
    clause: ClassVar[re.Pattern[str] | None] = None
    matches: ClassVar[frozenset[str]] = frozenset({"exact"})  # values of Task.match
    fields: ClassVar[frozenset[str]] = frozenset()  # of Task: those of PROOFS that it uses
    command: ClassVar[Command | None] = None

    @abstractmethod
    def program(self, task: "Task", source: str) -> Program:
        """`source` as it is run for `task`."""

    @abstractmethod
    def difference(self, task: "Task", expected: Any, got: Any) -> str | None:
        """None when both values count as equal, else the first difference in one line."""

    def complaint(self, task: "Task") -> str:
        """What is wrong with the task's own fields; '' when nothing is."""
        return ""

    def emptiness(self, value: Any) -> str:
        """Why a wrong program gives this answer by luck; '' when it does not."""
        return ""

    def variants(self, program: Program, result: ExecutionResult) -> Sequence[Program]:
        """Two programs that answer alike when nothing in `program` is left to chance; or none."""
        return ()


class CommandLanguage(Language):
    """Programs read stdin and print; they are right when they print what the gold prints.

    Space at the end of a line and empty lines at the end do not count, as on online judges.
    """

    command: ClassVar[Command]
    fields = frozenset({"stdin"})

    def program(self, task: "Task", source: str) -> Program:
        return Program(
            self.kind,
            source,
            timeout_s=task.timeout_s,
            command=self.command,
            stdin=task.stdin or ("",),
        )

    def difference(self, task: "Task", expected: Any, got: Any) -> str | None:
        for number, (right, text) in enumerate(zip(expected[1], got[1], strict=True), 1):
            if difference := lines_difference(tidy(right), tidy(text)):
                return f"on stdin {number}: {difference}" if len(got[1]) > 1 else difference
        return None

    def emptiness(self, value: Any) -> str:
        return "" if any(map(tidy, value[1])) else "it prints nothing"


def tidy(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")] if text.strip() else []


def lines_difference(expected: list[str], got: list[str]) -> str | None:
    for number in range(max(len(expected), len(got))):
        right, text = (
            repr(each[number]) if number < len(each) else "no more" for each in (expected, got)
        )
        if right != text:
            return f"line {number + 1}: {expected_got(right, text)}"
    return None
