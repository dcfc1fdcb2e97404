"""MBPP, whole or sanitized: a sentence, a solution, and assert lines that are never shown.

The sentence alone does not say what the function is called. The customary prompt shows the asserts
for that; ours shows the head of the solution instead, and the asserts stay hidden.
"""

import ast
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError
from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.rows import text_of, texts_of

TEMPLATE = '"""{question}"""\n{head}'


def load(path: Path, rows: Sequence[Mapping[str, Any]]) -> Published:
    drafts = [draft(row, f"{path}, row {number}") for number, row in enumerate(rows, 1)]
    return Published("mbpp", TEMPLATE, drafts)


def draft(row: Mapping[str, Any], where: str) -> Draft:
    gold = text_of(row, "code", where).replace("\r\n", "\n")
    tests = texts_of(row, "test_list", where)
    question = text_of(row, "text" if "text" in row else "prompt", where)
    head = head_of(gold, tests, where)
    task = {
        "task_id": f"mbpp-{row.get('task_id')}",
        "kind": "python",
        "gold": gold,
        "setup": "\n".join(row.get("test_imports") or []),
        "tests": [*filter(str.strip, [str(row.get("test_setup_code") or "")]), *tests],
        "prefix": head,
    }
    return Draft(task, {"question": " ".join(question.split()), "head": head})


def head_of(gold: str, tests: list[str], where: str) -> str:
    """The lines down to the body of the function that the tests call; '' when there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in published code are no news
            return _head_of(gold, tests)
    except SyntaxError as error:
        raise TaskError(f"{where}: its code or tests are no Python ({error.msg})") from error


def _head_of(gold: str, tests: list[str]) -> str:
    called = {
        node.func.id
        for test in tests
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    functions = [node for node in ast.parse(gold).body if isinstance(node, ast.FunctionDef)]
    for function in reversed(functions):
        if function.name in called:
            lines = gold.split("\n")[function.lineno - 1 : function.body[0].lineno - 1]
            return "".join(f"{line}\n" for line in lines)
    return ""
