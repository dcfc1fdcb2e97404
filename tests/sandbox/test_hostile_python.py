"""Hostile and bad Python programs: each gets its outcome, the next good program its answer."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra.sandbox import ExecutionResult, Sandbox
from tests.sandbox.hostile import Hostile, Range, python_programs
from tests.sandbox.hostile_python import CTYPES, DENIED_SYSTEM_CALLS

Run = Callable[[str], ExecutionResult]


@pytest.mark.parametrize("program", list(python_programs()), ids=lambda program: program.name)
def test_gets_its_outcome_and_leaves_no_trace(program: Hostile, field: Range) -> None:
    assert field.faults(program) == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_system_calls_outside_the_list_are_denied(run_python: Run) -> None:
    source = (
        CTYPES
        + f"""
result = {{}}
for name, number in {DENIED_SYSTEM_CALLS!r}.items():
    result[name] = [libc.syscall(number, 0, 0, 0, 0, 0, 0), ctypes.get_errno()]
"""
    )
    found = {key: node[1] for key, node in run_python(source).value[1]}
    assert found == {name: [-1, 38 if name == "clone3" else 1] for name in DENIED_SYSTEM_CALLS}


def test_sleep_is_a_timeout_by_wall_clock(run_python_hastily: Run) -> None:
    result = run_python_hastily("import time\ntime.sleep(1000)")
    assert (result.outcome, result.detail[:21]) == ("timeout", "still running after 1")


def test_secrets_and_files_are_out_of_reach(run_python: Run, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("secret")
    actions = [
        "open(p)",
        "open(p, 'w')",
        "open(p, 'a')",
        "__import__('numpy').fromfile(p)",
        "__import__('pandas').read_csv(p)",
        "__import__('pandas').DataFrame([1]).to_csv(p)",
        "os.truncate(p, 0)",
        "os.unlink(p)",
        "os.chmod(p, 0)",
        "os.rename(p, p + 'x')",
        "os.listdir(os.path.dirname(p))",
        "os.mkdir(p + 'd')",
        "os.symlink('/', p + 'l')",
        "os.link(p, p + 'l')",
    ]
    source = f"import os\np = {str(canary)!r}\nresult = []\n"
    for action in actions:
        source += f"try:\n result.append(bool({action}))\nexcept OSError: result.append('denied')\n"
    assert run_python(source).value == ["list", ["denied"] * len(actions)]
    assert [path.name for path in tmp_path.iterdir()] == ["canary"]
    assert canary.read_text() == "secret"


def test_nothing_of_gold_or_siblings_is_in_the_process(run_python: Run, sandbox: Sandbox) -> None:
    run_python("sibling = 'MARK' + 'ER_ONE'\nresult = 1")
    source = textwrap.dedent("""
        import gc, sys
        seen, frame = [], sys._getframe()
        while frame:
            seen.append(repr(frame.f_locals))
            frame = frame.f_back
        seen += [repr(thing) for thing in gc.get_objects() if type(thing) in (dict, list, str)]
        word = 'MARK' + 'ER_' + 'ONE'
        result = [word in text for text in seen].count(True)
    """)
    assert run_python(source).value == 0


def test_a_patched_library_does_not_reach_the_next_program(run_python: Run) -> None:
    run_python(
        "import pandas as pd\npd.Series.sum = lambda self: 99\nimport builtins\n"
        "builtins.sum = lambda x: 99\nresult = 1"
    )


def test_a_forged_frame_is_a_value_and_no_more(run_python: Run) -> None:
    frame = "import os\nos.write(3, b'R' + (2).to_bytes(8, 'big') + b'42')\n"
    assert run_python(frame + "os._exit(0)").value == 42
    assert run_python(frame + "result = 1").outcome == "runtime_error"


def test_patched_builtins_change_no_outcome(run_python: Run) -> None:
    source = "import builtins\nfor n in ('len', 'type', 'id', 'isinstance', 'str'):\n"
    result = run_python(source + " setattr(builtins, n, lambda *a: 1)\nresult = object()")
    assert result.outcome == "runtime_error"


@pytest.mark.parametrize("tier", ["json", "numpy", "pandas"])
def test_pyarrow_is_as_if_it_were_not_installed(tier: str, run_python: Run) -> None:
    source = (
        f"import sys, importlib.util, {tier}\n"
        "try: import pyarrow.csv\nexcept ModuleNotFoundError as error: said = str(error)\n"
        "result = [said, 'pyarrow' in sys.modules, importlib.util.find_spec('pyarrow') is None]"
    )
    assert run_python(source).value == ["list", ["No module named 'pyarrow'", False, True]]
