"""Phase children: errors in one line, stopped at once, never left behind."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from codelutra.config import RefineConfig
from codelutra.errors import GenerationError, StopRequested
from codelutra.generation import GenerationRequest
from codelutra.phase import PhaseChild, run_phase
from codelutra.phase_child import one_line
from codelutra.run_folder import RunFolder
from codelutra.starting_again import start_again


def start(job: dict, log: Path, should_stop: Callable[[], bool] = lambda: False) -> list[dict]:
    return list(run_phase("generate", job, log=log, should_stop=should_stop, error=GenerationError))


def phase_children(parent: int) -> set[psutil.Process]:
    """The descendants that lead a session of their own."""
    found = psutil.Process(parent).children(recursive=True)
    return {child for child in found if leads_session(child.pid)}


def leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:  # it has just ended
        return False


def job(model: str) -> dict:
    request = vars(GenerationRequest(1, 0.0, 1.0, max_new_tokens=4, seed=0))
    backend = {"backend": "transformers"}
    return {
        "backend": backend,
        "model": model,
        "adapter": "",
        "chat_template": "auto",
        "request": request,
        "golds": [],
        "chunks": {str(i): ["SELECT"] for i in range(100_000)},
    }


def test_a_failing_phase_raises_one_line_and_logs_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=f"cannot load {tmp_path}"):
        start(job(str(tmp_path)), tmp_path / "log")
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_stop_kills_the_child_within_a_second(tiny_model: str, tmp_path: Path) -> None:
    others = phase_children(os.getpid())  # what other tests have left running
    asked: list[float] = []

    def should_stop() -> bool:
        if phase_children(os.getpid()) - others:
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(StopRequested):
        start(job(tiny_model), tmp_path / "log", should_stop)
    assert time.monotonic() - asked[0] < 1.0
    assert not phase_children(os.getpid()) - others


def test_a_killed_phase_says_how_it_ended_and_where_to_look(
    tiny_model: str, tmp_path: Path
) -> None:
    others = phase_children(os.getpid())
    messages = run_phase(
        "generate",
        job(tiny_model),
        log=tmp_path / "log",
        should_stop=lambda: False,
        error=GenerationError,
    )
    assert next(messages)["loaded"]
    (child,) = phase_children(os.getpid()) - others
    child.kill()
    with pytest.raises(GenerationError, match=f"exit code -9.*{tmp_path / 'log'}"):
        list(messages)


@pytest.mark.slow
def test_a_child_dies_with_its_parent(tiny_model: str, tmp_path: Path) -> None:
    script = (
        "import json, sys; from pathlib import Path; from codelutra.phase import run_phase;"
        "from codelutra.errors import GenerationError\n"
        "for m in run_phase('generate', json.load(sys.stdin), log=Path(sys.argv[1]),"
        " should_stop=lambda: False, error=GenerationError): print('up', flush=True)"
    )
    import json

    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert parent.stdin
    assert parent.stdout
    with parent.stdin as stdin:
        json.dump(job(tiny_model), stdin)
    assert parent.stdout.readline() == "up\n"
    (child,) = phase_children(parent.pid)
    fork_server = child.parent()
    assert fork_server
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    fork_server.wait(timeout=60)  # unloading its libraries takes a busy machine a while
    child.wait(timeout=5)


def test_a_child_answers_one_job_after_the_other_with_what_it_has_loaded(
    tiny_model: str, tmp_path: Path
) -> None:
    child = PhaseChild("generate", log=tmp_path / "a", error=GenerationError)
    small = {**job(tiny_model), "chunks": {"3": ["SELECT"]}}
    first, second = (
        list(child.ask(small, log=tmp_path / name, should_stop=lambda: False)) for name in "ab"
    )
    assert ["loaded" in message for message in first] == [True, False]
    assert second == first[1:]
    assert second[0]["chunk"] == 3
    child.close()
    assert (tmp_path / "b").exists()


def test_a_full_disk_is_told_by_a_phase_as_such() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert one_line(full).startswith("no space left on the disk: free some, then resume")
    assert one_line(RuntimeError("I/O error: No space left on device (os error 28)")).startswith(
        "no space left on the disk"
    )


def test_a_killed_phase_is_started_again_and_given_up_at_its_third_death(tmp_path: Path) -> None:
    ledger = RunFolder(tmp_path / "run", RefineConfig.for_model("starter"), lambda *_: None)
    starts: list[int] = []

    def phase(_ledger: RunFolder, deaths: int) -> str:
        starts.append(1)
        if len(starts) <= deaths:
            error = GenerationError("the generate phase died (exit code -9)")
            error.was_killed = True
            raise error
        return "done"

    assert start_again(phase, ledger, 2) == "done"
    starts.clear()
    with pytest.raises(GenerationError, match="died"):
        start_again(phase, ledger, 3)
    assert len(starts) == 3
    starts.clear()
    with pytest.raises(GenerationError, match="died"):  # this process ends, and killed it itself
        start_again(phase, ledger, 1, is_leaving=lambda: True)
    assert len(starts) == 1
