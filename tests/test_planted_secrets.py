"""Secrets planted in the environment of the real app, which then refines a gated model: they are in
nothing that it writes, shows or starts. At the end it is told to end."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest

from codelutra.cli import main
from codelutra.starter import MODEL_DIR
from storage.lock import find_worker
from tests.fake_hub import REPO, serving
from tests.lab import wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TOKEN, PASSWORD, KEY = "hf_planted1token", "planted2password", "planted3key"
SECRETS = (TOKEN.encode(), PASSWORD.encode(), KEY.encode())
SETTINGS = {
    "max_train": 6, "max_heldout": 4, "sampling.num_samples": 4, "sampling.max_new_tokens": 48,
    "evaluation.max_new_tokens": 48, "sampling.extra_samples": 0,
}  # fmt: skip


class Watch(threading.Thread):
    """Looks at the environment of everything below a process, twice: between fork and exec a
    child still has its parent's."""

    def __init__(self, top: int) -> None:
        super().__init__(daemon=True)
        self.top = psutil.Process(top)
        self.seen = Counter[psutil.Process]()
        self.commands: set[str] = set()
        self.leaks: list[str] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.2):
            for child in self.top.children(recursive=True):
                try:
                    self.look(child)
                except (psutil.Error, OSError):
                    continue

    def look(self, child: psutil.Process) -> None:
        environment, command = Path(f"/proc/{child.pid}/environ").read_bytes(), child.cmdline()
        self.seen[child] += 1
        if self.seen[child] > 1 and (found := [s for s in SECRETS if s in environment]):
            self.leaks.append(f"{found} of {command}")
        self.commands.add(" ".join(command))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("planted")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving() as hub, (folder / "app.log").open("wb") as output:
        hub.files = {path.name: path.read_bytes() for path in MODEL_DIR.iterdir() if path.is_file()}
        hub.token = TOKEN
        environment = {
            "HF_TOKEN": TOKEN,
            "CODELUTRA_USERS": f"ann:owner:{PASSWORD}",
            "CODELUTRA_API_KEY": KEY,
            "CODELUTRA_SNAPSHOT": f"file://{folder}/store",
            "CODELUTRA_HOME": str(folder / "home"),
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(folder / "hf"),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.delenv("HF_HUB_OFFLINE", raising=False)
            process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(port)],
                cwd=ROOT, stdout=output, stderr=output,
            )  # fmt: skip
            yield SimpleNamespace(
                process=process, folder=folder, home=folder / "home", hub=hub,
                client=httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60),
            )  # fmt: skip
            if process.poll() is None:
                process.kill()


def call(client: httpx.Client, name: str, *data: object) -> str:
    event = client.post(f"/gradio_api/call/{name}", json={"data": data}).json()["event_id"]
    return client.get(f"/gradio_api/call/{name}/{event}").text


def test_planted_secrets_are_in_nothing_that_the_app_leaves(
    app: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELUTRA_HOME", str(app.home))
    wait_for(lambda: b"CodeLutra is at" in (app.folder / "app.log").read_bytes())
    worker = wait_for(lambda: find_worker(app.home))
    watch = Watch(worker.pid)
    watch.start()
    shown = [app.client.post("/login", data={"username": "ann", "password": "wrong"}).text]
    shown += [app.client.get(path).text for path in ("/config", "/health", "/nothing", "/")]
    app.client.post("/login", data={"username": "ann", "password": PASSWORD})
    shown.append(call(app.client, "start_run", "starter", "lab/not-there", 1, SETTINGS))
    assert "unknown model" in shown[-1]
    started = call(app.client, "start_run", "starter", REPO, 1, SETTINGS)
    assert "event: complete" in started, started

    def status() -> str:
        shown.append(call(app.client, "run_status", 1))
        time.sleep(1)
        return json.loads(shown[-1].split("data: ")[1])[0]["status"]

    wait_for(lambda: status() in ("completed", "failed"), 300)
    assert '"completed"' in shown[-1], shown[-1]
    watch.is_over.set()
    watch.join()
    shown += [app.client.get(path).text for path in ("/config", "/health", "/gradio_api/info")]
    assert watch.leaks == []
    commands = "\n".join(watch.commands)
    for part in ("forkserver", "python_server.py", "sql_server.py"):
        assert part in commands, "the children were not seen"
    out = app.folder / "out"
    out.mkdir()
    for wish in (
        ("backup", f"{out}/lab.zip"),
        ("export", "bundle", "1", "--out", f"{out}/bundle.zip"),
        ("export", "adapter", "1", "--iteration", "1", "--out", f"{out}/adapter"),
        ("export", "pairs", "1", "--out", f"{out}/pairs.jsonl"),
        ("report", "1", "--out", f"{out}/report.html"),
    ):
        assert main(wish) == 0, wish
    assert not [text for text in shown if any(s.decode() in text for s in SECRETS)]
    files = [path for path in app.folder.rglob("*") if path.is_file()]
    assert {"codelutra.sqlite", "worker.log", "run.log", "1-train.log"} <= {p.name for p in files}
    assert [path for path in files if "store" in path.parts], "there is no snapshot"
    assert not [path for path in files for text in contents(path) for s in SECRETS if s in text]


def contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as opened:
            yield from map(opened.read, opened.namelist())


def test_a_sigterm_ends_the_app_with_all_that_it_started(app: SimpleNamespace) -> None:
    worker = find_worker(app.home)
    assert worker
    started = psutil.Process(app.process.pid).children(recursive=True)
    assert worker.pid in [each.pid for each in started]
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(60) == 0
    assert "ends; what is under way" in (app.home / "worker.log").read_text(), "it was not told"
    _, left = psutil.wait_procs(started, 10)
    assert left == []
    assert list((app.folder / "store/snapshots").iterdir())
