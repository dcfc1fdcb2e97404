"""Fork server of one tier: imports its libraries once, then forks a child for every program.

Run by path with a clean environment, never imported by CodeLutra: `python python_server.py
CONTROL_FD PARENT_PID TIER`. It never sees a program: the other side talks to the child itself.

The next child is always there, behind its fences, before it has a job. Control socket: `R` with
the first child's socket attached, or `E` and why not; then LIMITS in for each job and, when its
child is dead, a REPORT out with the next child's socket. Job socket: see `job.py`. After a fork
each page is copied when it is first written to, so the less the loop does the better.
"""

import dataclasses
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import encoding
import fences
import forks  # noqa: F401, before what would add hooks
import landlock
import output
import seccomp
from job import JOB_FD, PROGRAM, read_request, run_job
from tiers import load_tier
from watching import kill_group, kill_strays, watch

del sys.path[0]


LIMITS = struct.Struct("=dd")  # CPU and wall seconds
REPORT = struct.Struct("=id?")  # exit code or minus the signal, CPU seconds, timed out; then output


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    fences.die_with(int(sys.argv[2]))
    fences.prctl(fences.PR_SET_CHILD_SUBREAPER, 1)
    try:
        encoder = load_tier(sys.argv[3])
        ruleset = landlock.create_ruleset(landlock.readable_paths())
        # Without Landlock nothing says which files: then none can be opened.
        calls = seccomp.build_filter(may_open=ruleset is not None, may_talk=False)
        seccomp.probe(calls)
    except Exception as error:  # the sandbox door: the trusted side raises it
        control.send(b"E" + f"{type(error).__name__}: {error}".encode())
        return
    output.replace_streams()
    serve(control, encoder, Fence(ruleset, calls, fences.virtual_memory()))
    os._exit(0)  # a large interpreter takes its time to tidy up


@dataclasses.dataclass(frozen=True)
class Fence:
    """Prepared once, put up in every child."""

    ruleset: int | None  # Landlock
    calls: bytes  # seccomp
    memory: int  # address space of the warm server, bytes


@dataclasses.dataclass(frozen=True)
class Child:
    """A fork that waits for its job."""

    pid: int
    socket: socket.socket  # the other side's end
    printed: int  # the file of what it prints


def serve(control: socket.socket, encoder: encoding.Encoder, fence: Fence) -> None:
    """Runs one job after the other until the parent is gone."""
    child = fork_child(encoder, fence)
    tell(control, b"R", child)
    while message := control.recv(4096):
        running, child = child, fork_child(encoder, fence)  # while that one runs, if a core is free
        timed_out = watch(running.pid, control, *LIMITS.unpack(message))
        kill_group(running.pid)
        _, status, usage = os.wait4(running.pid, 0)
        kill_strays(child.pid)
        cpu_s = usage.ru_utime + usage.ru_stime
        report = REPORT.pack(os.waitstatus_to_exitcode(status), cpu_s, timed_out)
        tell(control, report + output.read_and_close(running.printed).encode(), child)


def tell(control: socket.socket, message: bytes, child: Child) -> None:
    socket.send_fds(control, [message], [child.socket.fileno()])
    child.socket.close()


def fork_child(encoder: encoding.Encoder, fence: Fence) -> Child:
    server = os.getpid()
    theirs, ours = socket.socketpair()
    printed = output.new_file()
    pid = os.fork()
    if pid == 0:
        try:
            fences.die_with(server)
            output.direct_to(printed)
            run_job(prepare_child(ours.detach(), fence), encoder)
        finally:
            os._exit(1)
    ours.close()
    return Child(pid, theirs, printed)


def prepare_child(job_fd: int, fence: Fence) -> dict[str, Any]:
    """Puts up every fence and waits for the job: after it, untrusted code may run."""
    os.setsid()
    fences.drop_capabilities()
    fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)
    if fence.ruleset is not None:
        landlock.enter(fence.ruleset)
    if job_fd != JOB_FD:
        os.dup2(job_fd, JOB_FD)
    os.closerange(JOB_FD + 1, 4096)
    sys.dont_write_bytecode = True
    sys.argv = [PROGRAM]
    fences.hide_memory()
    seccomp.install(fence.calls)
    request = read_request()
    memory = fence.memory + (int(request["memory_mb"]) << 20)
    fences.restrict(request["cpu_s"], memory, output.MAX_OUTPUT)
    return request  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
