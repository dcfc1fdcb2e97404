"""HumanEval+ and MBPP+: many inputs; what is expected is what the solution gives on them.

MBPP+ shows an assert in its prompt that is one of its tests: ours shows the sentence and the head
of the function, as for MBPP.
"""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError
from codelutra.tasks import mbpp
from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.evalplus_inputs import ANY_RESULTS, SET_RESULTS, as_source, with_types
from codelutra.tasks.rows import text_of

TEMPLATE = "{question}{head}"
# CPU seconds for programs of tasks whose golds alone take a second and more on two busy cores:
# four times as long, or a minute, which is all that EvalPlus allows.
SLOW = {f"HumanEval/{number}": 20.0 for number in (15, 36, 59, 83, 94, 100, 130, 139)}
SLOW |= {
    f"Mbpp/{number}": 20.0 for number in (84, 123, 271, 300, 389, 392, 583, 589, 592, 603, 630)
}
SLOW["Mbpp/599"] = 60.0
LEFT_OUT = {"Mbpp/255": "an answer of its solution takes more than 1 GB of memory"}


def load(path: Path, rows: Sequence[Mapping[str, Any]]) -> Published:
    drafts, left_out = [], {}
    for number, row in enumerate(rows, 1):
        task_id = text_of(row, "task_id", f"{path}, row {number}")
        if task_id in LEFT_OUT:
            left_out[name_of(task_id)] = LEFT_OUT[task_id]
        else:
            drafts.append(draft(row, f"{path}, row {number}"))
    return Published("evalplus", TEMPLATE, drafts, left_out)


def name_of(task_id: str) -> str:
    return task_id.lower().replace("/", "plus-")


def draft(row: Mapping[str, Any], where: str) -> Draft:
    task_id, solution = (text_of(row, name, where) for name in ("task_id", "canonical_solution"))
    entry_point = text_of(row, "entry_point", where)
    prompt = text_of(row, "prompt", where)
    is_mbpp = task_id.startswith("Mbpp/")
    question, head = "", prompt
    if is_mbpp:
        question = f'"""{sentence_of(prompt, where)}"""\n'
        head = mbpp.head_of(solution, [f"{entry_point}()"], where)
    task = {
        "task_id": name_of(task_id),
        "kind": "python",
        "gold": solution if is_mbpp else head + solution,
        "entry_point": entry_point,
        "prefix": head,
        "match": "evalplus",
        "inputs": calls_of(row, task_id, entry_point, where),
        "tolerance": tolerance_of(row, where),
    }
    if task_id in SLOW:
        task["timeout_s"] = SLOW[task_id]
    return Draft(task, {"question": question, "head": head})


def sentence_of(prompt: str, where: str) -> str:
    """The docstring that is an MBPP+ prompt, without its assert and in one line."""
    try:
        text = ast.get_docstring(ast.parse(prompt)) or ""
    except SyntaxError as error:
        raise TaskError(f"{where}: its `prompt` is no Python ({error.msg})") from error
    words = " ".join(line for line in text.split("\n") if not line.startswith("assert")).split()
    if not words:
        raise TaskError(f"{where}: its `prompt` has no sentence")
    return " ".join(words)


def tolerance_of(row: Mapping[str, Any], where: str) -> float | None:
    value = row.get("atol", 0)
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise TaskError(f"{where}: `atol` is {value!r}, no number from 0 to 1")
    return float(value) or None


def calls_of(row: Mapping[str, Any], task_id: str, name: str, where: str) -> list[str]:
    """Base inputs first; a result that is not compared as it is becomes a set or True here."""
    calls = []
    for field in ("base_input", "plus_input"):
        for arguments in lists_of(row, field, where):
            if task_id.startswith("Mbpp/"):
                try:
                    arguments = with_types(int(task_id.removeprefix("Mbpp/")), arguments)
                except (ValueError, TypeError, LookupError, AttributeError) as error:
                    text = f"{where}: `{field}` has arguments that {task_id} does not take"
                    raise TaskError(f"{text} ({error})") from error
            calls.append(f"{name}({', '.join(map(as_source, arguments))})")
    if not calls:
        raise TaskError(f"{where}: no inputs in `base_input` and `plus_input`")
    if name in SET_RESULTS:
        return [f"set({call})" for call in calls]
    if name in ANY_RESULTS:
        given = "(lambda given: given if type(given) is bool else given is not None)"
        return [f"{given}({call})" for call in calls]
    return calls


def lists_of(row: Mapping[str, Any], field: str, where: str) -> list[list[Any]]:
    value = row.get(field)
    if value == {}:  # Mbpp/793 as it is published: none
        return []
    if not isinstance(value, list) or not all(isinstance(each, list) for each in value):
        raise TaskError(f"{where}: `{field}` is missing or no list of lists of arguments")
    return value
