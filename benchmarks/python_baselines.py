"""Baselines of `benchmarks.verdicts` for Python, restated after the projects' published sources.

Runs as a process of its own that has loaded numpy and pandas and nothing of ours: reads JSON
lines {method, source, expected: text of a literal}, answers each with its verdict; `{method:
"fork", count}` measures bare fork + wait of this parent, in forks a second.
"""

import builtins
import contextlib
import faulthandler
import io
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

TIMEOUT_S = 10.0
CHECK = "\nassert type(result) is type({expected}) and result == {expected}\n"
GUARDED = {
    os: "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename "
    "renames truncate replace unlink fchmod fchown chmod chown chroot lchown getcwd chdir",
    shutil: "rmtree move chown",
    subprocess: "Popen",
    builtins: "exit quit help",
}


def fresh(source: str, expected: str) -> str:
    """(1) An interpreter a program, with limits, its outcome told by exit code and error text."""
    done = subprocess.run(
        [sys.executable, "-c", source + CHECK.format(expected=expected)],
        capture_output=True,
        timeout=TIMEOUT_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (10, 10)),
    )
    if done.returncode == 0:
        return "correct"
    error = done.stderr.decode().strip().splitlines()[-1]
    return verdict_of(error.partition(":")[0])


def warm_fork(source: str, expected: str) -> str:
    """(2) human-eval `check_correctness`: a manager for the result, a process, guard, timer."""
    with multiprocessing.Manager() as manager:
        result = manager.list()
        return fork_and_wait(source, expected, result, result.append)


def warm_fork_without_manager(source: str, expected: str) -> str:
    """The same with the result in shared memory, as EvalPlus does."""
    shared = multiprocessing.Array("c", 32)

    def report(text: str) -> None:
        shared.value = text.encode()

    fork_and_wait(source, expected, [], report)
    return shared.value.decode() or "timeout"


def fork_and_wait(source: str, expected: str, result: Any, report: Callable[[str], object]) -> str:
    program = source + CHECK.format(expected=expected)
    process = multiprocessing.Process(target=unsafe_execute, args=(program, report))
    process.start()
    process.join(TIMEOUT_S + 1)
    if process.is_alive():
        process.kill()
    return str(result[0]) if result else "timeout"


def unsafe_execute(program: str, report: Callable[[str], object]) -> None:
    # tempfile needs these when tidying up, after the guard has taken them away
    rmtree, rmdir, chdir, unlink = shutil.rmtree, os.rmdir, os.chdir, os.unlink
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        guard()
        try:
            with swallowed_output(), time_limit(TIMEOUT_S):
                exec(program, {})
            report("correct")
        except BaseException as error:
            report(verdict_of(type(error).__name__))
        shutil.rmtree, os.rmdir, os.chdir, os.unlink = rmtree, rmdir, chdir, unlink
        os.chdir("/")


def verdict_of(error: str) -> str:
    known = {"AssertionError": "wrong_result", "SyntaxError": "syntax_error"}
    return known.get(error, "runtime_error")


def guard() -> None:
    """human-eval `reliability_guard`: not a sandbox, as its own text says."""
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    for module, names in GUARDED.items():
        for name in names.split():
            setattr(module, name, None)
    for name in ("ipdb", "joblib", "resource", "psutil", "tkinter"):
        sys.modules[name] = None  # type: ignore[assignment]


@contextlib.contextmanager
def swallowed_output() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def on_alarm(*_: object) -> None:
        raise TimeoutError

    signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def forks_per_second(count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    return count / (time.perf_counter() - started)


METHODS = {
    "fresh": fresh,
    "warm_fork": warm_fork,
    "warm_fork_without_manager": warm_fork_without_manager,
}


def main() -> None:
    import numpy  # noqa: F401
    import pandas

    pandas.DataFrame({"k": [1, 2]}).groupby("k").sum()  # what is lazy is loaded, in the parent
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        method = job.pop("method")
        answer = forks_per_second(job["count"]) if method == "fork" else METHODS[method](**job)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
