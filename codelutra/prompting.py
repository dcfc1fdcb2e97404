"""From a completion to the program it holds."""

import re

from codelutra.tasks.task import Task, TaskKind

# An unclosed fence counts: a completion may end at the token limit.
_FENCE = re.compile(r"```[ \t]*([\w+#-]*)[^\n]*\n(.*?)(?:\n```|```|\Z)", re.DOTALL)
_LANGUAGES: dict[TaskKind, set[str]] = {
    "sql": {"", "sql", "sqlite", "sqlite3"},
    "python": {"", "python", "python3", "py"},
}


def program_text(completion: str, task: Task) -> str:
    """The program of a completion, behind the prefix that it continues; '' when there is none."""
    text = extract_program(completion, task.kind)
    head = re.findall(r"^\s*(?:async )?def (\w+)", task.prefix, re.MULTILINE)
    if not text or not task.prefix:
        return text
    begins_anew = head and re.search(rf"^(?:async )?def {head[-1]}\b", text, re.MULTILINE)
    return text if begins_anew else task.prefix + text


def extract_program(completion: str, kind: TaskKind) -> str:
    """The first fenced block in the task's language, else the whole text; '' when there is none."""
    if "```" in completion:
        for match in _FENCE.finditer(completion):
            if match.group(1).lower() in _LANGUAGES[kind]:
                return match.group(2).strip("\n").rstrip()
        return ""
    return completion.strip("\n").rstrip()
