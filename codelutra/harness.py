"""DS-1000's harness taken apart: what makes the inputs, what runs, and what must stay hidden.

`generate_test_case` of a `code_context` defines both the inputs and the reference. The program's
process gets the inputs' half and `exec_context` with the program in it; `exec_test` and the
reference only ever run in a process of their own (`sandbox/child/harness_judge.py`). Reads trusted
text and runs nothing.
"""

import ast
import functools
import json
import re
import warnings
from dataclasses import dataclass

SECRET = {"generate_ans", "generate_test_case", "exec_test", "test_execution", "test_string"}
CUTS = ("</code>", "\nEND SOLUTION", "\n### END SOLUTION", "\n# SOLUTION END", "\n### SOLUTION END")
SETUP = """\
_harness = {{}}
exec({inputs!r}, _harness)
exec({outputs!r}, _harness)
test_input = _harness["inputs"](1)
"""
INPUTS = '''
def inputs(case):
    """As the judge draws them, whatever the program draws afterwards."""
    import random, numpy
    random.seed(case)
    numpy.random.seed(case)
    try:
        return define_test_input(case)
    finally:
        random.seed()
        numpy.random.seed()

def again(case, code):
    scope = {"test_input": inputs(case)}
    exec(compile(code, "<program>", "exec"), scope)
    return scope["result"]
'''


class HarnessError(ValueError):
    """Why a code_context cannot be taken apart, for a person."""


@dataclass(frozen=True)
class Harness:
    """`template` has [insert] where the program belongs; `inputs` define `define_test_input`."""

    inputs: str
    template: str
    num_cases: int


def take_harness_apart(context: str) -> Harness:
    """Raises HarnessError."""
    tree = parse(context)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    templates = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and [getattr(target, "id", "") for target in node.targets] == ["exec_context"]
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    if not templates or "generate_test_case" not in functions or "exec_test" not in functions:
        raise HarnessError("its code_context is not of the known form")
    if "skip_plt_cmds" in functions:
        raise HarnessError(
            "draws a figure, which is no data to compare outside the program's process"
        )
    if "open(" in ast.unparse(functions["test_execution"]):
        raise HarnessError("reads files that its harness writes; the sandbox has none")
    return Harness(
        inputs=inputs_of(tree, functions["generate_test_case"]),
        template=templates[0],
        num_cases=cases_of(functions["test_execution"]),
    )


def inputs_of(tree: ast.Module, generate: ast.FunctionDef) -> str:
    """`define_test_input` and what it needs, at the top level."""
    defined = {}
    for node in [*tree.body, *generate.body]:
        if isinstance(node, ast.FunctionDef) and node.name not in SECRET:
            defined[node.name] = node
    if "define_test_input" not in defined:
        raise HarnessError("its inputs cannot be told apart from its answer")
    needed, todo = set[str](), ["define_test_input"]
    while todo:
        name = todo.pop()
        if name in SECRET:
            raise HarnessError("its inputs are made of its answer")
        if name in defined and name not in needed:
            needed.add(name)
            todo += [n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)]
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    parts = [*imports, *(node for name, node in defined.items() if name in needed)]
    return "\n".join(ast.unparse(part) for part in parts) + "\n" + INPUTS


def cases_of(test_execution: ast.FunctionDef) -> int:
    for node in ast.walk(test_execution):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and node.iter.args:
            (number,) = node.iter.args
            if isinstance(number, ast.Constant) and isinstance(number.value, int):
                return number.value
    raise HarnessError("its code_context does not say how many cases it has")


def imported_modules(code: str) -> set[str]:
    """Top-level names of all that is imported, in texts inside the code, too."""
    return set(re.findall(r"^\s*(?:import|from)\s+([A-Za-z_]\w*)", code, re.MULTILINE))


def parse(code: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise HarnessError(f"its code_context is no Python ({error})") from error


@functools.lru_cache(maxsize=2000)
def known(context: str) -> Harness:
    return take_harness_apart(context)


@dataclass(frozen=True)
class Run:
    """A solution as it is run: `calls` give a value a case, `plan` (JSON) judges them."""

    code: str
    setup: str
    calls: tuple[str, ...]
    plan: str


def with_solution(context: str, completion: str) -> Run:
    harness = known(context)
    solution = cut(completion)
    code = harness.template.replace("[insert]", solution)
    again = [f"_harness['again']({case}, {code!r})" for case in range(2, harness.num_cases + 1)]
    plan = {
        "judge": "harness_judge",
        "recorded": False,
        "inputs": [],
        "context": context,
        "outputs": OUTPUTS,
        "solution": solution,
    }
    return Run(
        code,
        SETUP.format(inputs=harness.inputs, outputs=OUTPUTS),
        tuple(f"_harness['out']({call})" for call in ("result", *again)),
        json.dumps(plan),
    )


def cut(completion: str) -> str:
    """As DS-1000's own post-processing ends a solution."""
    if completion.startswith("<code>"):
        completion = completion.removeprefix("<code>").lstrip("\n")
    for mark in CUTS:
        completion = completion.split(mark)[0]
    return completion


OUTPUTS = '''
def out(value):
    """With the names and exact types that plain data leave out."""
    import sys
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    kind = type(value)
    if pandas and kind is pandas.DataFrame:
        names = list(value.columns.names), list(value.index.names)
        return {"<kind>": "frame", "names": names, "value": value,
                "dtypes": [str(dtype) for dtype in value.dtypes],
                "index": str(value.index.dtype), "columns": str(value.columns.dtype)}
    if pandas and kind is pandas.Series:
        return {"<kind>": "series", "names": (value.name, list(value.index.names)),
                "value": value, "dtypes": str(value.dtype), "index": str(value.index.dtype)}
    if pandas and isinstance(value, pandas.Index):
        return {"<kind>": "index", "names": list(value.names), "value": value,
                "dtypes": str(value.dtype)}
    if numpy and kind is numpy.ndarray and value.dtype.kind != "O":
        return {"<kind>": "array", "dtypes": str(value.dtype), "value": value}
    if numpy and isinstance(value, (numpy.number, numpy.bool_)):
        return {"<kind>": "scalar", "dtypes": str(value.dtype), "value": value}
    if kind in (list, tuple):
        return kind(out(each) for each in value)
    if kind is dict:
        return {key: out(each) for key, each in value.items()}
    module = kind.__module__.partition(".")[0]
    if module == "scipy" and hasattr(value, "toarray"):
        return {"<kind>": "sparse", "format": value.format, "is_array": "array" in kind.__name__,
                "value": out(value.toarray())}
    return value
'''
