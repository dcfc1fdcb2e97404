"""What a program prints is kept as evidence and decides nothing."""

from collections.abc import Callable

import pytest

from codelutra.sandbox import ExecutionResult

Run = Callable[[str], ExecutionResult]
MAX_OUTPUT = 4096


def test_both_streams_are_kept_in_their_order(run_python: Run) -> None:
    source = (
        "import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('ü', end='')\nresult = 1"
    )
    result = run_python(source)
    assert (result.value, result.output) == (1, "one\ntwo\nü")


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [("1/0", "runtime_error"), ("import os; os._exit(3)", "runtime_error"), ("", "runtime_error")],
)
def test_a_program_that_fails_leaves_what_it_printed(
    ending: str, outcome: str, run_python: Run
) -> None:
    result = run_python(f"print('got here')\n{ending}")
    assert (result.outcome, result.output) == (outcome, "got here\n")


def test_a_program_that_is_stopped_leaves_what_it_printed(run_python_hastily: Run) -> None:
    result = run_python_hastily("print('step 1')\nwhile True: pass")
    assert (result.outcome, result.output) == ("timeout", "step 1\n")


def test_a_long_print_is_cut_and_the_program_goes_on(run_python: Run) -> None:
    result = run_python("for n in range(10**5): print('x' * 99)\nresult = n")
    assert result.value == 99_999
    assert len(result.output) == MAX_OUTPUT + 1
    assert result.output.endswith("x…")


def test_a_print_flood_ends_at_the_limit(run_python_hastily: Run) -> None:
    result = run_python_hastily("while True: print('x' * 10_000)")
    assert (result.outcome, len(result.output)) == ("timeout", MAX_OUTPUT + 1)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nfor n in range(1000): os.write(1, b'x' * 1000)",
        "import os, sys\nos.lseek(1, 10**9, 0)\nos.write(1, b'x')",
        "import os\nwhile True: os.write(os.dup(2), b'y' * 500)",
    ],
)
def test_writing_past_the_limit_by_other_means_fails(source: str, run_python: Run) -> None:
    result = run_python(source)
    assert result.outcome == "runtime_error"
    assert "OSError" in result.detail
    assert len(result.output) <= MAX_OUTPUT + 1


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.stdout.close()",
        "import sys\nsys.stdout = None",
        "import sys\ndel sys.stdout, sys.stderr, sys.__stdout__",
        "import sys, io\nsys.stdout = io.StringIO()\nprint('hidden')",
        "import os\nos.close(1)\nos.close(2)\nprint('lost')",
        "import sys\nsys.stdout.detach()",
        "print('\\ud800 \\0 \\x1b[2J')",
        "import sys\nsys.stdout.buffer.write(bytes(range(256)))",
    ],
)
def test_odd_uses_of_the_streams_change_no_result(source: str, run_python: Run) -> None:
    assert run_python(f"{source}\nresult = 7").value == 7


def test_unreadable_bytes_reach_nobody(run_python: Run) -> None:
    result = run_python("import os\nos.write(2, bytes([255, 0xF0, 65]))\nresult = 1")
    assert result.output == "��A"


def test_the_next_program_starts_with_an_empty_page(run_python: Run) -> None:
    assert run_python("print('mine')\nresult = 1").output == "mine\n"
    assert run_python("result = 1").output == ""


def test_printing_a_verdict_or_a_frame_is_only_text(run_python: Run) -> None:
    source = "import os\nos.write(1, b'R' + (1).to_bytes(8, 'big') + b'1')\nprint('PASSED')"
    result = run_python(source)
    assert (result.outcome, result.detail) == ("runtime_error", "no value in `result`")
