"""Without fences, where the user asked for that: the same verdicts, said to be unfenced."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codelutra.config import UNSAFE, SandboxConfig, allow_unfenced, may_run_unfenced
from codelutra.errors import SandboxError, StopRequested
from codelutra.grading import Grader
from codelutra.records import Sample, VerdictKind
from codelutra.sandbox import Program, Sandbox
from codelutra.tasks.task import Task
from tests.sandbox.conftest import run

CONFIG = SandboxConfig(timeout_s=1, memory_mb=256, workers=2)


@pytest.fixture
def unfenced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """As on another system than Linux."""
    monkeypatch.setenv("CODELUTRA_UNSAFE_LOCAL_EXECUTION", "1")
    monkeypatch.setattr("codelutra.sandbox.sandbox.fences_hold", lambda: False)
    with Sandbox(CONFIG) as sandbox:
        assert not sandbox.is_fenced
        yield sandbox


def test_the_wish_is_inherited_by_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODELUTRA_UNSAFE_LOCAL_EXECUTION", "")
    assert not may_run_unfenced()
    allow_unfenced()
    assert may_run_unfenced()


def test_where_fences_hold_the_wish_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODELUTRA_UNSAFE_LOCAL_EXECUTION", "1")
    with Sandbox(CONFIG) as sandbox:
        assert sandbox.is_fenced
        assert "PermissionError" in run(sandbox, "python", "open('/etc/passwd')").detail


def test_another_system_is_refused_with_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match=f"use a Linux machine.*{UNSAFE}"):
        Sandbox(CONFIG)
    monkeypatch.setenv("CODELUTRA_UNSAFE_LOCAL_EXECUTION", "1")
    with Sandbox(CONFIG) as sandbox:
        assert not sandbox.is_fenced


def test_it_says_so_in_the_log(unfenced: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox(CONFIG):
        assert "programs run WITHOUT a sandbox, with your own rights" in caplog.text


@pytest.mark.parametrize(
    ("source", "outcome", "detail"),
    [
        ("result = 6 * 7", "ok", ""),
        ("import numpy as np\nresult = int(np.arange(10).sum()) - 3", "ok", ""),
        ("result = 1 +", "syntax_error", "line 1: invalid syntax"),
        ("x = {}\nx['k']", "runtime_error", "KeyError: 'k' (line 2)"),
        ("import sys\nsys.exit(0)", "runtime_error", "SystemExit: 0 (line 2)"),
        ("import os\nos._exit(0)", "runtime_error", "ended with exit code 0 without a result"),
        ("while True: pass", "timeout", "used more than 1 s of CPU time"),
        ("import time\ntime.sleep(99)", "timeout", "still running after 4 s"),
        ("result = 'x' * (2 << 20)", "runtime_error", "result larger than 1 MiB"),
        ("import mmap\nmmap.mmap(-1, 1 << 30)", "runtime_error", "OSError: [Errno 12]"),
    ],
)
def test_outcomes_are_those_of_the_sandbox(
    unfenced: Sandbox, source: str, outcome: str, detail: str
) -> None:
    result = run(unfenced, "python", source)
    assert result.outcome == outcome
    assert result.detail.startswith(detail)
    if outcome == "ok":
        assert result.value == 42


def test_what_is_printed_is_kept(unfenced: Sandbox) -> None:
    result = run(unfenced, "python", "print('so far')\nraise ValueError('no further')")
    assert (result.output, result.detail) == ("so far\n", "ValueError: no further (line 2)")


def test_queries_are_still_read_only(unfenced: Sandbox, database: Path) -> None:
    assert run(unfenced, "sql", "SELECT count(*) FROM items", str(database)).value.rows == [(100,)]
    assert run(unfenced, "sql", "DELETE FROM items", str(database)).outcome == "forbidden"


def test_programs_still_know_no_expected_answer(unfenced: Sandbox) -> None:
    task = Task(
        task_id="t", kind="python", prompt="p", gold="def f(x): return x + 1",
        tests=("assert f(1) == 2", "assert f(20) == 21"),
    )  # fmt: skip
    samples = [
        Sample("t", 0, "def f(x):\n    return x + 1"),
        Sample("t", 1, "def f(x):\n    return 2"),
    ]
    verdicts = Grader(unfenced).grade({"t": task}, samples)
    assert verdicts["t", 0].kind is VerdictKind.CORRECT
    assert verdicts["t", 1].kind is VerdictKind.WRONG_RESULT


def test_it_stops_within_a_second(unfenced: Sandbox) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    with pytest.raises(StopRequested):
        unfenced.execute([Program("python", "import time\ntime.sleep(3)")], should_stop=stop.is_set)
    assert time.monotonic() - started < 2


def without_seccomp(*arguments: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("pyseccomp", reason="libseccomp is not installed", exc_type=Exception)
    command = [sys.executable, "-m", "codelutra", *arguments]
    return subprocess.run(
        [sys.executable, "-m", "tests.sandbox.without_seccomp", *command],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_seccomp_nothing_is_run_unless_the_user_says_so(tmp_path: Path) -> None:
    tasks, out = tmp_path / "tasks.jsonl", tmp_path / "out.jsonl"
    task = {"task_id": "a", "kind": "python", "prompt": "p", "gold": "result = 2"}
    tasks.write_text(json.dumps(task))
    predictions = tmp_path / "predictions.jsonl"
    left = tmp_path / "left-behind"
    writes = f"open({str(left)!r}, 'w').close()\nresult = 2"
    predictions.write_text(json.dumps({"task_id": "a", "completion": writes}))
    command = ["judge", "--tasks", str(tasks), "--predictions", str(predictions), "--out", str(out)]

    refused = without_seccomp(*command)
    assert refused.returncode == 2
    assert "seccomp filters do not work on this machine" in refused.stderr
    assert UNSAFE in refused.stderr
    assert not left.exists()

    done = without_seccomp(*command, UNSAFE)
    assert done.returncode == 0, done.stderr
    assert "programs run WITHOUT a sandbox" in done.stderr
    row = json.loads(out.read_text())
    assert (row["verdict"], row["unfenced"]) == ("correct", True)
    assert left.exists()


@pytest.mark.slow
def test_without_seccomp_the_doctor_says_what_follows() -> None:
    refused, allowed = (
        without_seccomp("doctor", "--json"),
        without_seccomp("doctor", "--json", UNSAFE),
    )
    before, after = (
        next(f for f in json.loads(done.stdout) if f["name"] == "sandbox")
        for done in (refused, allowed)
    )
    assert (refused.returncode, before["ok"], before["essential"]) == (2, False, True)
    assert UNSAFE in before["detail"]
    assert (allowed.returncode, after["ok"], after["essential"]) == (0, False, False)
    assert "WITHOUT a sandbox" in after["detail"]


def test_without_seccomp_a_worker_says_that_it_runs_nothing(home: Path) -> None:
    done = without_seccomp("worker", "--parent", str(1 << 22))  # nobody's number: it ends at once
    assert done.returncode == 0, done.stderr
    told = json.loads((home / "worker.lock").read_text())
    assert (told["is_barred"], told["is_unfenced"]) == (True, False)
