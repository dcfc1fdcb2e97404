"""Python: the value of a variable, or tests that call what the program defines."""

import functools
import re
from typing import TYPE_CHECKING, Any

from codelutra import asserts
from codelutra.compare_answers import answers_difference
from codelutra.compare_tables import floats_equal
from codelutra.languages.language import Language
from codelutra.sandbox import Program

if TYPE_CHECKING:
    from codelutra.tasks.task import Task

OPENING = re.compile(
    r"""[@#\[({] | [rbf]?(?:\"{3}|'{3})
    | (?:import|from|def|class|if|for|while|with|return|yield|await|lambda|print|assert|del|raise
        |global|nonlocal|elif|except)\b
    | async\ +(?:def|with|for)\b | (?:try|else|finally)\ *: | (?:pass|break|continue)$
    | [\w.]+(?:[\[(]|\ *(?:[-+*/%@&|^]|\*\*|//|<<|>>)?=(?!=))  # f(x), x[0], x = 1, x += 1
    | \w+\.\w | \w+(?:\ *,\ *\w+)+\ *= | \w+\ *:\ *[\w.]+(?:\[[^=]*\])?\ *=  # x, y = 1, 2
    """,
    re.VERBOSE,
)
# `If n is odd:` has a slip.
CLAUSE = re.compile(
    r"(?:if|elif|else|for|while|with|try|except|finally|def|class|match|case|async)\b.*:$",
    re.IGNORECASE,
)


class Python(Language):
    kind = "python"
    fences = frozenset({"python", "python3", "py", "py3"})
    opening = OPENING
    clause = CLAUSE
    matches = frozenset({"exact", "evalplus"})
    fields = frozenset({"tests", "inputs", "tolerance"})

    def program(self, task: "Task", source: str) -> Program:
        if task.is_tested:
            return asserts.with_tests(task, source)
        return Program(
            self.kind, source, setup=task.setup, answer=task.answer, timeout_s=task.timeout_s
        )

    def difference(self, task: "Task", expected: Any, got: Any) -> str | None:
        if task.is_tested:
            return got or None  # what does not hold, found by `asserts`
        close = floats_equal
        if task.tolerance is not None:
            close = functools.partial(close, rel_tol=task.tolerance, abs_tol=task.tolerance)
        return answers_difference(expected, got, close=close)

    def complaint(self, task: "Task") -> str:
        text = "\n".join(task.tests)
        if task.inputs and (task.tests or not task.entry_point):
            return "`inputs` need an `entry_point` and no `tests`"
        if task.tests and "assert" not in text:
            return "`tests` assert nothing"
        if "def check(" in text and not task.entry_point:
            return "`check` in `tests` needs an `entry_point`"
        return ""

    def emptiness(self, value: Any) -> str:
        if value in (None, "") or (isinstance(value, list) and value[-1] == []):
            return "no value in the answer"
        return ""


LANGUAGE = Python()
