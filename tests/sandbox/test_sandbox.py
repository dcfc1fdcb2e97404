"""The sandbox as a whole: order, stopping, restarts, nothing left behind."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pytest

from codelutra.config import SandboxConfig
from codelutra.errors import SandboxError, StopRequested
from codelutra.sandbox import Program, Sandbox
from codelutra.sandbox.process import CHILD_FOLDER, FIXED
from codelutra.sandbox.python_runner import tier_of
from tests.sandbox.hostile import descendants


def python(source: str) -> Program:
    return Program("python", source)


def server_pids(sandbox: Sandbox) -> list[int]:
    return [r.process.popen.pid for slot in sandbox._slots for r in slot.runners.values()]


def test_results_keep_the_input_order_with_two_workers(database: Path) -> None:
    programs = [
        python(f"result = {n}") if n % 3 else Program("sql", f"SELECT {n}", str(database))
        for n in range(40)
    ]
    finished: list[int] = []
    with Sandbox(SandboxConfig(workers=2)) as sandbox:
        results = sandbox.execute(programs, finished.append)
    values = [r.value if n % 3 else r.value.rows[0][0] for n, r in enumerate(results)]
    assert values == list(range(40))
    assert finished == sorted(finished)
    assert finished[-1] == 40


def test_nothing_to_run_is_no_result(sandbox: Sandbox) -> None:
    assert sandbox.execute([]) == []


def test_setup_and_answer_variable(sandbox: Sandbox) -> None:
    program = Program("python", "out = x + 1", setup="x = 41", answer="out")
    assert sandbox.execute([program])[0].value == 42
    missing = sandbox.execute([Program("python", "result = 1", answer="out")])[0]
    assert missing.detail == "no value in `out`"
    broken = sandbox.execute([Program("python", "result = 1", setup="1/0")])[0]
    assert broken.detail == "ZeroDivisionError: division by zero (setup line 1)"


def test_an_error_names_its_type_and_line(sandbox: Sandbox) -> None:
    result = sandbox.execute([python("def f():\n    return {}['k']\n\nf()")])[0]
    assert result.detail == "KeyError: 'k' (line 2)"


def test_the_environment_is_clean(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    with Sandbox(SandboxConfig(workers=1)) as fresh:
        node = fresh.execute([python("import os\nresult = sorted(os.environ)")])[0].value
    assert set(node[1]) <= set(FIXED) | {"LD_LIBRARY_PATH"}


def test_the_tier_follows_the_text() -> None:
    assert [tier_of(python(s)) for s in ("result = 1", "import numpy", "import pandas")] == [
        "bare",
        "numpy",
        "pandas",
    ]


@pytest.mark.parametrize(
    "program",
    [
        python("while True: pass"),
        python("import time\ntime.sleep(99)"),
        Program(
            "sql",
            "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT count(*) FROM r",
        ),
    ],
    ids=["python", "sleep", "sql"],
)
def test_stops_within_a_second_and_works_again(program: Program, database: Path) -> None:
    program = Program(program.kind, program.source, str(database))
    before = descendants(os.getpid())
    with Sandbox(SandboxConfig(timeout_s=60, workers=2)) as sandbox:
        stop_at = time.monotonic() + 0.5
        with pytest.raises(StopRequested):
            sandbox.execute([program] * 4, should_stop=lambda: time.monotonic() > stop_at)
        assert time.monotonic() - stop_at < 1
        assert descendants(os.getpid()) == before
        assert sandbox.execute([python("result = 1")])[0].value == 1


def test_an_error_in_a_callback_ends_the_execution(sandbox: Sandbox) -> None:
    def fail(_: int) -> None:
        raise ValueError("callback")

    with pytest.raises(ValueError, match="callback"):
        sandbox.execute([python("result = 1")] * 3, fail)
    assert sandbox.execute([python("result = 2")])[0].value == 2


def test_close_leaves_no_process_and_no_descriptor(database: Path) -> None:
    before, descriptors = descendants(os.getpid()), len(os.listdir("/proc/self/fd"))
    with Sandbox(SandboxConfig(workers=2)) as sandbox:
        programs = [python("import numpy"), python("x"), Program("sql", "SELECT 1", str(database))]
        sandbox.execute(programs * 3)
        assert len(descendants(os.getpid()) - before) >= 3
    assert descendants(os.getpid()) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_killed_servers_are_started_again(sandbox: Sandbox, database: Path) -> None:
    programs = [python("result = 1"), Program("sql", "SELECT 1", str(database))]
    sandbox.execute(programs)
    for pid in server_pids(sandbox):
        os.kill(pid, signal.SIGKILL)
    assert [result.outcome for result in sandbox.execute(programs)] == ["ok", "ok"]


def test_a_server_killed_twice_is_our_fault(sandbox: Sandbox) -> None:
    done = threading.Event()

    def kill_servers() -> None:
        while not done.wait(0.05):
            for pid in server_pids(sandbox):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_servers)
    killer.start()
    try:
        result = sandbox.execute([python("import time\ntime.sleep(0.9)")])[0]
    finally:
        done.set()
        killer.join()
    assert result.outcome == "harness_error"
    assert sandbox.execute([python("result = 1")])[0].value == 1


def test_a_killed_parent_takes_everything_with_it(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "from codelutra.config import SandboxConfig\n"
        "from codelutra.sandbox import Sandbox, Program\n"
        "Sandbox(SandboxConfig(timeout_s=60, workers=1)).execute(\n"
        "    [Program('python', 'while True: pass')])\n"
    )
    before = descendants(os.getpid())
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, str(script)], env={"PYTHONPATH": str(root)})
    wait_for(
        lambda: len(descendants(os.getpid()) - before) == 4
    )  # parent, server, child, the next child
    started = descendants(os.getpid()) - before
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(is_running(pid) for pid in started))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: object, timeout_s: float = 30) -> None:
    assert callable(condition)
    ends_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends_at, "not in time"
        time.sleep(0.02)


def test_a_library_that_is_missing_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pandas.py").write_text("raise ImportError('no pandas here')")
    monkeypatch.setitem(FIXED, "PYTHONPATH", str(tmp_path))
    with Sandbox(SandboxConfig(workers=1)) as sandbox:
        with pytest.raises(SandboxError, match="does not start: ImportError: no pandas here"):
            sandbox.execute([python("import pandas")])
        assert sandbox.execute([python("result = 1")])[0].value == 1


def replace_in_server(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, old: str, new: str
) -> None:
    """Sandboxes made from here on start servers whose file `name` is changed."""
    shutil.copytree(CHILD_FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    monkeypatch.setattr("codelutra.sandbox.process.CHILD_FOLDER", folder)


def test_without_landlock_no_file_opens_and_pandas_still_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    none = "    if abi == 0:", "    if True:"
    replace_in_server(monkeypatch, tmp_path / "child", "landlock.py", *none)
    group = "import pandas as pd\nresult = pd.Series([1, 2]).groupby([0, 0]).sum().to_csv()"
    programs = [python(group), python("open('/etc/localtime')"), python("open('/etc/passwd')")]
    with Sandbox(SandboxConfig(workers=1)) as sandbox:
        results = sandbox.execute(programs)
    assert results[0].value == ",0\n0,3\n"
    assert ["PermissionError" in result.detail for result in results[1:]] == [True, True]


@pytest.mark.parametrize("kind", ["python", "sql"])
def test_without_seccomp_nothing_runs(
    kind: Literal["python", "sql"], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    none = "SECCOMP_MODE_FILTER = 22, 2", "SECCOMP_MODE_FILTER = 22, 9"
    replace_in_server(monkeypatch, tmp_path / "child", "seccomp.py", *none)
    with (
        Sandbox(SandboxConfig(workers=1)) as sandbox,
        pytest.raises(SandboxError, match=r"does not start: .*seccomp"),
    ):
        sandbox.execute([Program(kind, "result = 1")])


@pytest.mark.parametrize(
    "draw",
    [
        "import random\nresult = random.random()",
        "import numpy as np\nresult = float(np.random.rand())",
    ],
)
def test_chance_is_drawn_anew_for_every_program(sandbox: Sandbox, draw: str) -> None:
    results = sandbox.execute([python(draw), python(draw + "\n")])
    assert results[0].value != results[1].value


def test_text_in_double_quotes_is_a_string_only_where_the_task_says_so(
    sandbox: Sandbox, database: Path
) -> None:
    query = Program("sql", 'SELECT count(*) FROM items WHERE name = "item 3"', str(database))
    strict, lenient, again = sandbox.execute(
        [query, dataclasses.replace(query, quoted_strings=True), query]
    )
    assert strict.outcome == again.outcome == "runtime_error"
    assert "no such column" in strict.detail
    assert lenient.value.rows == [(1,)]


def test_a_database_may_lie_behind_a_symbolic_link(
    sandbox: Sandbox, database: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(database.parent)
    query = Program("sql", "SELECT 1", str(tmp_path / "link" / database.name))
    assert sandbox.execute([query])[0].value.rows == [(1,)]


def test_rows_that_nothing_orders_can_come_backwards(sandbox: Sandbox, database: Path) -> None:
    query = Program("sql", "SELECT rowid FROM items LIMIT 1", str(database))
    ordered = dataclasses.replace(query, source="SELECT rowid FROM items ORDER BY rowid LIMIT 1")
    forwards, backwards, again = sandbox.execute(
        [query, dataclasses.replace(query, backwards=True), query]
    )
    assert forwards.value.rows == again.value.rows == [(1,)]
    assert backwards.value.rows != [(1,)]
    turned = dataclasses.replace(ordered, backwards=True)
    assert sandbox.execute([turned])[0].value.rows == [(1,)]


@pytest.mark.parametrize("end", [";", "; ", "; -- so", "; /* so */ ;", ";;", " -- so"])
def test_what_is_no_statement_may_follow_a_query(
    sandbox: Sandbox, database: Path, end: str
) -> None:
    for query, answer in (("SELECT 1", [(1,)]), ("SELECT 1 WHERE 0", [])):
        result = sandbox.execute([Program("sql", query + end, str(database))])[0]
        assert (result.outcome, result.value.rows) == ("ok", answer)
