"""From a completion to the program it holds."""

import re

from codelutra.languages import language_of
from codelutra.tasks.task import Task

# An unclosed fence counts: a completion may end at the token limit.
_FENCE = re.compile(r"```[ \t]*([\w+#-]*)[^\n]*\n(.*?)(?:\n```|```|\Z)", re.DOTALL)


def program_text(completion: str, task: Task) -> str:
    """The program of a completion, behind the prefix that it continues; '' when there is none."""
    text = extract_program(completion, task.kind)
    head = re.findall(r"^\s*(?:async )?def (\w+)", task.prefix, re.MULTILINE)
    if not text or not task.prefix:
        return text
    begins_anew = head and re.search(rf"^(?:async )?def {head[-1]}\b", text, re.MULTILINE)
    return text if begins_anew else task.prefix + text


def extract_program(completion: str, kind: str) -> str:
    """The first fenced block in the task's language, else the whole text; '' when there is none."""
    if "```" in completion:
        words = {"", *language_of(kind).fences}
        for match in _FENCE.finditer(completion):
            if match.group(1).lower() in words:
                return match.group(2).strip("\n").rstrip()
        return ""
    return completion.strip("\n").rstrip()
