"""A real Chromium, and the real app in a process and a home of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.lock import find_worker

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_S = 120


@dataclass(frozen=True)
class App:
    url: str
    home: Path
    process: "subprocess.Popen[bytes]"

    def worker_pid(self) -> int | None:
        worker = find_worker(self.home)
        return worker.pid if worker else None


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def running_app(home: Path, tmp_path: Path) -> Iterator[App]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "app.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=output, stderr=output
        )
    app = App(f"http://127.0.0.1:{port}/", home, process)
    _wait_for(lambda: b"CodeLutra is at" in log.read_bytes(), process, log)
    yield app
    process.kill()
    process.wait()
    if pid := app.worker_pid():
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            _wait_for(lambda: app.worker_pid() is None, process, log, dead_is_fine=True)


def _wait_for(is_so, process, log: Path, *, dead_is_fine: bool = False) -> None:
    deadline = time.monotonic() + START_S
    while not is_so():
        assert dead_is_fine or process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
