"""A server process of ours on the trusted side: started with a clean environment, killed whole."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from codelutra.config import UNSAFE

CHILD_FOLDER = Path(__file__).parent / "child"
LEAVE_S = 0.3  # time a server gets to kill what it started before it is killed itself
INHERITED = ("LD_LIBRARY_PATH",)  # all that a server sees of our environment
FIXED = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",  # sets iterate alike in every process
    "OPENBLAS_NUM_THREADS": "1",  # a fork server must be single-threaded
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}


def start(
    script: str,
    theirs: socket.socket,
    *arguments: str,
    output: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """A process of `child/script` that gets the socket's number first, and a group of its own."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # -s -P, not -I: the environment is ours, and PYTHONHASHSEED must count.
    command = [sys.executable, "-s", "-P", str(CHILD_FOLDER / script), str(theirs.fileno())]
    return subprocess.Popen(
        [*command, *arguments],
        env=environment | FIXED,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


class ServerDied(Exception):
    """The server ended, or had to be killed, in the middle of a job."""


def cannot_start(what: str, reason: str) -> str:
    way_out = f" (to run programs with your own rights: {UNSAFE})" if "seccomp" in reason else ""
    return f"the {what} does not start: {reason}{way_out}"


class ServerProcess:
    """One exec'd server and our end of its control socket.

    It ends with the thread that made it (PDEATHSIG counts threads) and when the socket closes.
    """

    def __init__(self, script: str, *arguments: str, socket_type: int) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket_type)
        with theirs:
            self.popen = start(script, theirs, str(os.getpid()), *arguments)

    def cpu_seconds(self) -> float:
        """CPU time the server itself has used; 0 when it is gone."""
        try:
            return time.clock_gettime((~self.popen.pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK
        except OSError:
            return 0.0

    def starved_seconds(self) -> float:
        """Time the server was ready to run but had no core; 0 when it is gone."""
        try:
            return int(Path(f"/proc/{self.popen.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError):  # gone, or a kernel that does not count
            return 0.0

    def hang_up(self) -> None:
        """Tells the server to end; safe from any thread, wakes whoever waits on the socket."""
        with contextlib.suppress(OSError):  # already closed
            self.control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the server and everything it started."""
        self.hang_up()
        try:
            self.popen.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.control.close()
