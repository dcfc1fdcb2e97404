"""Waits for a program's process with an eye on its limits, and ends all that it started."""

import contextlib
import os
import select
import signal
import socket
import time

import fences


def watch(child: int, control: socket.socket, cpu_s: float, wall_s: float) -> bool:
    """Waits for the child's end or a limit; True at a limit. A parent that went away ends both."""
    pidfd = os.pidfd_open(child)
    ends_at = time.monotonic() + wall_s
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(control, select.POLLIN)
    left = min(cpu_s, wall_s)  # sooner it cannot reach one
    try:
        while True:
            if left <= 0:
                return True
            ready = {fd for fd, _ in poll.poll(max(10, left * 1000))}
            if pidfd in ready:
                return False
            if ready:  # nothing is ever sent while a job runs: the parent closed its end
                kill_group(child)
                kill_strays(0)
                os._exit(0)
            cpu_left = cpu_s - fences.cpu_seconds(child)
            wall_left = ends_at + fences.starved_seconds(child) - time.monotonic()
            left = min(cpu_left, wall_left)
    finally:
        os.close(pidfd)


def kill_group(child: int) -> None:
    """The child leads its own session, but may not have got there yet."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)


def kill_strays(spared: int) -> None:
    """Kills what left the child's group: as subreaper this server has inherited all of it."""
    while strays := fences.children() - {spared}:
        for stray in strays:
            kill_group(stray)
            os.waitpid(stray, 0)
