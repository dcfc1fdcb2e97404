"""The served page: its API by gradio_client, and what an import or a bad start does."""

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import app
from pages import reloading, shell
from storage import db
from storage.lock import WorkerLock, find_worker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `main` does to the log of its process ends with the test."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])


@pytest.fixture
def client(store: Path) -> Iterator[Client]:
    blocks = shell.build()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app.launch(blocks, "127.0.0.1", port)
    yield Client(blocks.local_url, verbose=False)
    blocks.close(verbose=False)


def test_what_notices_a_missing_part_is_first_in_the_page(client):
    page = httpx.get(client.src)
    script = reloading.SCRIPT.read_text()
    assert page.text.index("<head>") + len("<head><script>") == page.text.index(script)
    assert httpx.head(client.src).headers["content-type"] == page.headers["content-type"]


def test_a_run_is_started_listed_and_followed(client, add_run):
    run_id = client.predict(
        "starter", "starter", 1, {"max_train": 40, "max_heldout": 40}, api_name="/start_run"
    )
    assert client.predict(api_name="/runs") == [
        {"id": run_id, "name": "starter", "status": "queued", "iterations": 1}
    ]
    status = client.predict(run_id, api_name="/run_status")
    assert (status["status"], status["phase"], status["error"]) == ("queued", None, None)
    points = client.predict(add_run((0.3, 0.6)), api_name="/trend")
    assert [point["pass_at_1"] for point in points] == [0.3, 0.6]


def test_what_the_trends_tab_shows_is_there_for_programs(client, add_run, add_steps, add_alert):
    run_id = add_run((0.3, 0.6, 0.7), (0.3, 0.8, 0.7))
    add_steps(run_id, 1, 1, 2, loss__dpo=0.5)
    add_alert(run_id, 2, "diverged", "the loss is nan", "less", 2)
    points = client.predict(run_id, api_name="/trend")
    assert [point["promoted"] for point in points] == [False, True, False]
    assert points[1]["validation"]["pass_at_1"] == 0.8
    steps = client.predict(run_id, 1, api_name="/training")
    assert steps == [{"step": 1, "loss/dpo": 0.5}, {"step": 2, "loss/dpo": 0.5}]
    raised = {"kind": "diverged", "seen": "the loss is nan", "advice": "less", "step": 2}
    assert client.predict(run_id, api_name="/alerts") == [{"iteration": 2, **raised}]
    with pytest.raises(AppError, match=f"run {run_id} has no iteration 9"):
        client.predict(run_id, 9, api_name="/training")
    with pytest.raises(AppError, match="there is no run 99"):
        client.predict(99, api_name="/alerts")


def test_bad_input_is_answered_with_one_line(client):
    for given, message in (
        (("starter", "/nowhere", 1, {}), "does not exist"),
        (("nothing", "starter", 1, {}), "no task set"),
        (("starter", "starter", -1, {}), "Iterations: must be greater than"),
        (("starter", "starter", 1, {"training.betta": 1}), "training.betta"),
    ):
        with pytest.raises(AppError, match=message):
            client.predict(*given, api_name="/start_run")
    with pytest.raises(AppError, match="there is no run 99"):
        client.predict(99, api_name="/trend")
    assert client.predict(api_name="/runs") == []


def test_only_the_named_events_are_public(client):
    api = client.view_api(return_format="dict", print_info=False)
    assert set(api["named_endpoints"]) == {
        *("/runs", "/start_run", "/run_status", "/trend", "/training", "/alerts"),
        "/changes",
        *("/task_sets", "/check_tasks", "/check_status"),
        *("/compare", "/comparison"),
        *("/pairs", "/pair", "/review_pair", "/export_pairs", "/pair_import"),
    }
    assert api["unnamed_endpoints"] == {}


def test_a_strange_address_is_ignored():
    assert shell.address({"tab": "trends", "run": "3"}) == ("trends", 3)
    assert shell.address({"tab": "<b>", "run": "-1"}) == ("refine", None)
    assert shell.address({}) == ("refine", None)


def test_importing_the_app_starts_and_loads_nothing(home):
    code = (
        "import sys, threading; before = threading.active_count(); import app; "
        "heavy = {'torch', 'vllm', 'transformers', 'trl', 'codelutra.worker'} & set(sys.modules); "
        "assert not heavy, heavy; assert threading.active_count() == before, threading.enumerate()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not home.exists()


def test_a_space_is_served_to_everybody_and_a_desk_to_itself(monkeypatch):
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert app._parse([]).host == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "lab/codelutra")
    assert app._parse([]).host == "0.0.0.0"


def test_an_occupied_port_is_one_clear_line(home, own_log, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 2
    assert capsys.readouterr().err == f"port {port} is in use: choose another with --port\n"


def test_a_home_that_cannot_be_written_is_one_clear_line(home, own_log, capsys):
    home.write_text("a file where the folder should be")
    assert app.main(["--port", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "set CODELUTRA_HOME to a writable folder" in line


@pytest.mark.slow
def test_ctrl_c_ends_the_page_and_the_idle_worker(home):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
        # As in a terminal: tests that run in the background inherit that it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout
    assert f":{port}/" in process.stdout.readline()
    _wait_until(lambda: find_worker(home) is not None)
    process.send_signal(signal.SIGINT)
    assert "Nothing was running" in process.communicate(timeout=180)[0]
    assert process.returncode == 0
    _wait_until(lambda: find_worker(home) is None)


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_monitor_is_told_whether_runs_can_go_on(client, store):
    def ask() -> tuple[int, dict]:
        answer = httpx.get(f"{client.src}health")
        return answer.status_code, answer.json()

    assert ask() == (503, {"ok": False, "database": "sqlite", "worker": "none"})
    lock = WorkerLock(store)
    lock.acquire()
    assert ask() == (200, {"ok": True, "database": "sqlite", "worker": "idle"})
    with db.current().engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE run RENAME TO gone")
    assert ask() == (503, {"ok": False, "database": "unavailable", "worker": "idle"})
    lock.release()
