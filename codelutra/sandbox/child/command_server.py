"""Server of one command-line language: each program is a fresh process of its interpreter.

Run by path with a clean environment, never imported by CodeLutra: `python command_server.py
CONTROL_FD PARENT_PID FOLDER INTERPRETER`. Each message on the socket is a length and JSON. Out
goes {} or {error} once; then jobs come in: {program, source, run, check, environment, stdin,
cpu_s, memory_mb}; out goes {runs, check}, each an `Ended`: one run for each text on stdin up to
the first that fails, then the check. The source is a file in FOLDER: all of the machine that its
interpreter may read beside system libraries.
"""

import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import fences
import landlock
import seccomp
from watching import kill_group, watch

del sys.path[0]

MAX_PRINTED = 1 << 20  # bytes, to each of stdout and stderr
MAX_TOLD = 1 << 16  # bytes of stderr: people read its beginning
WALL_FACTOR = 4  # wall-clock backstop, in units of the CPU time allowed


class Ended(NamedTuple):
    """How a process ended and what it printed; bytes that are no UTF-8 as lone surrogates."""

    status: int  # exit code or minus the signal
    cpu_s: float
    timed_out: bool
    stdout: str
    stderr: str


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    fences.die_with(int(sys.argv[2]))
    folder, interpreter = sys.argv[3:]
    try:
        ruleset = landlock.create_ruleset([folder, *landlock.SYSTEM_PATHS], [interpreter])
        if ruleset is None:  # the interpreter must open its libraries: nothing says which files
            raise OSError("this kernel has no Landlock, which command-line languages need")
        calls = seccomp.build_filter(may_open=True, may_talk=False, may_exec=True)
        seccomp.probe(calls)
    except OSError as error:
        send(control, {"error": str(error)})
        return
    send(control, {})
    while job := receive(control):
        send(control, run_job(job, Path(folder), interpreter, control, (ruleset, calls)))


def run_job(
    job: dict[str, Any],
    folder: Path,
    interpreter: str,
    control: socket.socket,
    fence: tuple[int, bytes],
) -> dict[str, Any]:
    (folder / job["program"]).write_text(job["source"], errors="replace")
    os.chdir(folder)

    def run(arguments: list[str], stdin: str) -> Ended:
        return run_process([interpreter, *arguments], stdin, job, control, fence)

    runs: list[Ended] = []
    for stdin in job["stdin"]:
        runs.append(run(job["run"], stdin))
        if runs[-1].status or runs[-1].timed_out:
            return {"runs": runs, "check": run(job["check"], "")}
    return {"runs": runs, "check": None}


def run_process(
    argv: list[str],
    stdin: str,
    job: dict[str, Any],
    control: socket.socket,
    fence: tuple[int, bytes],
) -> Ended:
    files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    os.pwrite(files[0], stdin.encode(errors="replace"), 0)
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            fences.die_with(server)
            prepare_child(files, job, fence)
            os.execve(argv[0], argv, job["environment"])
        finally:
            os._exit(127)
    timed_out = watch(pid, control, job["cpu_s"], job["cpu_s"] * WALL_FACTOR)
    kill_group(pid)
    _, status, usage = os.wait4(pid, 0)
    ending = os.waitstatus_to_exitcode(status)
    if os.fstat(files[1]).st_size >= MAX_PRINTED:
        ending = -signal.SIGXFSZ  # which some interpreters ignore: they drop the rest in silence
    stdout, stderr = (
        os.pread(file, size, 0).decode(errors="surrogateescape")
        for file, size in zip(files[1:], (MAX_PRINTED, MAX_TOLD), strict=True)
    )
    for file in files:
        os.close(file)
    cpu_s = usage.ru_utime + usage.ru_stime
    return Ended(ending, cpu_s, timed_out, stdout, stderr)


def prepare_child(files: list[int], job: dict[str, Any], fence: tuple[int, bytes]) -> None:
    """Puts up every fence: what is exec'd behind them is the program's."""
    os.setsid()
    ruleset, calls = fence
    for descriptor, file in enumerate(files):
        os.dup2(file, descriptor)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    memory = int(job["memory_mb"]) << 20
    fences.limit(resource.RLIMIT_CPU, int(job["cpu_s"]) + 2)
    fences.limit(resource.RLIMIT_DATA, memory)  # engines reserve far more addresses than they use
    fences.limit(resource.RLIMIT_FSIZE, MAX_PRINTED)
    fences.limit(resource.RLIMIT_CORE, 0)
    fences.limit(resource.RLIMIT_NOFILE, 64)
    fences.drop_capabilities()
    fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)
    landlock.enter(ruleset)
    os.closerange(3, 4096)
    seccomp.install(calls)


def send(control: socket.socket, message: dict[str, Any]) -> None:
    payload = json.dumps(message).encode()
    control.sendall(len(payload).to_bytes(8, "big") + payload)


def receive(control: socket.socket) -> dict[str, Any] | None:
    """None when the other side is gone."""
    head = control.recv(8, socket.MSG_WAITALL)
    payload = control.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL) if head else b""
    return json.loads(payload) if payload else None


if __name__ == "__main__":
    main()
