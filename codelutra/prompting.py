"""From a completion to the program it holds."""

import re

from codelutra.tasks.task import TaskKind

# An unclosed fence counts: a completion may end at the token limit.
_FENCE = re.compile(r"```[ \t]*([\w+#-]*)[^\n]*\n(.*?)(?:\n```|```|\Z)", re.DOTALL)
_LANGUAGES: dict[TaskKind, set[str]] = {
    "sql": {"", "sql", "sqlite", "sqlite3"},
    "python": {"", "python", "python3", "py"},
}


def extract_program(completion: str, kind: TaskKind) -> str:
    """The first fenced block in the task's language, else the whole text; '' when there is none."""
    if "```" in completion:
        for match in _FENCE.finditer(completion):
            if match.group(1).lower() in _LANGUAGES[kind]:
                return match.group(2).strip("\n").rstrip()
        return ""
    return completion.strip("\n").rstrip()
