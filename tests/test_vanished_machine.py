"""A machine that vanishes from the network with its worker: Linux gives us one, behind a cable."""

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from benchmarks.private_postgres import private_postgres, programs
from storage import jobs
from storage.at_work import SILENCE, worker_at_work
from storage.run_status import RunStatus
from tests.lab import Lab, wait_for
from tests.test_takeover import NUM_TASKS, elsewhere, end
from tests.test_worker import SMALL, assert_complete

HERE, THERE = "10.213.77.1", "10.213.77.2"  # the two ends of the cable
NETWORK = f"{HERE}/30"
SLACK_S = 15.0
CLONE_NEWNET = 0x40000000  # linux/sched.h


@dataclass(frozen=True)
class Machine:
    name: str

    @property
    def inside(self) -> list[str]:
        """What turns into a command there."""
        return ["ip", "netns", "exec", self.name]

    def unplug(self) -> None:
        """Nothing goes through any more, and neither side is told."""
        ip("-n", self.name, "link", "set", "lan", "down")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextmanager
def own_network() -> Iterator[None]:
    """For this thread, and the processes and threads that it starts: a browser that another test
    has open drops what it loads whenever the network of its machine changes."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as outer:
        if libc.unshare(CLONE_NEWNET):
            why = os.strerror(ctypes.get_errno())
            pytest.skip(f"no network of its own can be made here: {why}")
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            assert libc.setns(outer.fileno(), CLONE_NEWNET) == 0


@contextmanager
def new_machine() -> Iterator[Machine]:
    machine = Machine(f"cl-{uuid4().hex[:8]}")
    try:
        ip("netns", "add", machine.name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network of its own can be made here: {error}")
    try:
        ip("link", "add", machine.name, "type", "veth", "peer", "lan", "netns", machine.name)
        ip("address", "add", NETWORK, "dev", machine.name)
        ip("link", "set", machine.name, "up")
        ip("-n", machine.name, "address", "add", f"{THERE}/30", "dev", "lan")
        ip("-n", machine.name, "link", "set", "lan", "up")
        yield machine
    finally:
        ip("netns", "delete", machine.name)


@pytest.mark.postgres
def test_a_run_is_taken_up_when_its_machine_has_vanished(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose worker, which lives on behind the cut, has ended by then what it was doing."""
    if not programs():
        pytest.skip("PostgreSQL is not installed")
    with own_network(), new_machine() as machine, private_postgres([NETWORK]) as server:
        url = server.new_database()
        monkeypatch.setenv("DATABASE_URL", url)
        jobs.prepare(home)
        lab = Lab(home)
        other = elsewhere(lab)
        run_id = lab.submit(**{**SMALL, "max_train": NUM_TASKS})
        from_there = make_url(url).set(host=HERE).render_as_string()
        inside = [*machine.inside, "env", f"DATABASE_URL={from_there}"]
        try:
            lab.started_worker(batch_s=2.0, inside=inside)
            lab.wait_for(run_id, RunStatus.RUNNING)
            second = other.started_worker()
            wait_for(lambda: "waiting: worker" in (other.home / "worker.log").read_text())
            machine.unplug()
            unplugged = time.monotonic()
            wait_for(lambda: (found := worker_at_work()) and found.pid == second.pid)
            seconds = time.monotonic() - unplugged
            assert "the database went away" in (home / "worker.log").read_text()
            assert seconds < SILENCE["tcp_user_timeout"] / 1000 + SLACK_S
            lab.wait_for(run_id, RunStatus.COMPLETED)
            assert_complete(run_id, tasks=NUM_TASKS, iterations=1, num_samples=4)
        finally:
            for worker in lab.workers + other.workers:
                end(worker)
