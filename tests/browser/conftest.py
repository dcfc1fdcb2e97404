"""A real Chromium, and the real app in a process and a home of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.lock import find_worker

ROOT = Path(__file__).parents[2]
FAKE_WORKER = ROOT / "tests" / "fake_worker.py"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_S = 120
SOON = 60_000  # milliseconds


class App:
    """`python app.py`, which can be killed and started again on the same home and port."""

    def __init__(self, url: str, home: Path, port: int, log: Path) -> None:
        self.url, self.home, self.port, self.log = url, home, port, log

    def start(self, *options: str, within: tuple[str, ...] = ()) -> None:
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [*within, sys.executable, "app.py", "--port", str(self.port), *options],
                cwd=ROOT,
                env={**os.environ, "CODELUTRA_HOME": str(self.home)},
                stdout=output,
                stderr=output,
            )
        _wait_for(self._is_up, self.log.read_text)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return b"CodeLutra is at" in self.log.read_bytes()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def worker_pid(self) -> int | None:
        worker = find_worker(self.home)
        return worker.pid if worker else None


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SOON)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def stopped_app(home: Path, tmp_path: Path) -> Iterator[App]:
    """To be started by the test."""
    with _app(home, tmp_path / "app.log") as app:
        yield app


@pytest.fixture
def running_app(stopped_app: App) -> App:
    stopped_app.start()
    return stopped_app


@pytest.fixture(scope="session")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A running one, for tests that start no run and import no set: its home stays empty."""
    folder = tmp_path_factory.mktemp("shared")
    with _app(folder / "home", folder / "app.log") as app:
        app.start()
        yield app


@pytest.fixture(scope="module")
def module_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A running one for a file whose tests make a run of their own, each in the same home."""
    folder = tmp_path_factory.mktemp("module")
    with _app(folder / "home", folder / "app.log") as app:
        app.start()
        yield app


@pytest.fixture(scope="module")
def quick_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A running one, shared by the tests of a file, whose worker only seems to sample and train:
    runs take seconds, and can be met at work."""
    folder = tmp_path_factory.mktemp("quick")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "FAKE_BATCH_S": "0.25"}
    worker = subprocess.Popen([sys.executable, str(FAKE_WORKER), str(folder / "home")], env=env)
    try:
        _wait_for(lambda: find_worker(folder / "home") is not None, lambda: "no worker")
        with _app(folder / "home", folder / "app.log") as app:
            app.start()
            yield app
    finally:
        worker.kill()
        worker.wait()


@contextlib.contextmanager
def _app(home: Path, log: Path) -> Iterator[App]:
    """Not started; ended at the end, with its worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = App(f"http://127.0.0.1:{port}/", home, port, log)
    yield app
    app.kill()
    if pid := app.worker_pid():
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            _wait_for(lambda: app.worker_pid() is None, lambda: "the worker does not end")


def _wait_for(is_so: Callable[[], bool], complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_S
    while not is_so():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.1)
