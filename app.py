"""CodeLutra's dashboard and the worker behind it: `python app.py [--host H] [--port P]`.

On a Hugging Face Space and in a container (`--container`) nothing outlives this process: it prints
what `doctor` finds as it starts, and when it is told to end it ends the worker, too.

Importing this file starts nothing, downloads nothing and loads no torch.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import psutil
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from codelutra.backends import ZERO_GPU
from codelutra.config import UNSAFE, UNSAFE_HELP, allow_unfenced, home
from codelutra.errors import CodeLutraError
from codelutra.log_lines import adopt, log_to_stderr
from codelutra.snapshot_state import address
from codelutra.snapshots import LAST_S, restore_if_empty
from pages import live, shell
from pages.gate import MAX_BODY_MB, Gate
from pages.reloading import Reloading
from pages.roles import LOCAL, USERS, Access, GuardedBlocks
from storage import alive, jobs
from storage.db import StorageError
from storage.lock import find_worker

CHECK_S = 3.0  # between two looks at the worker
LONGEST_WAIT_S = 60.0  # between two starts of a worker that keeps dying
MAX_WAITING = 1000  # events; Gradio's own bound on ZeroGPU is one
QUEUE_LOOK_S = 0.02  # Gradio's own is a millisecond, which costs CPU while nobody is there
STABLE_S = 30.0  # a worker that lived this long may be restarted at once


class WorkerKeeper:
    """Starts the worker, and again when it died. It is a session of its own: it outlives us."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._wait_s = 0.0
        self._leaving = threading.Event()

    def start(self) -> None:
        self._ensure()
        threading.Thread(target=self._watch, name="worker-keeper", daemon=True).start()

    def stop(self) -> None:
        """Stop looking after the worker; it is told by `--parent` that we are gone."""
        self._leaving.set()

    def _watch(self) -> None:
        while not self._leaving.wait(CHECK_S):
            self._ensure()

    def _ensure(self) -> None:
        is_starting = self._child is not None and self._child.poll() is None
        if is_starting or find_worker(self.folder):
            return
        lived_s = time.monotonic() - self._started_at
        if self._child and lived_s < self._wait_s:
            return
        self._wait_s = (
            0.0 if lived_s > STABLE_S else min(LONGEST_WAIT_S, 2 * self._wait_s + CHECK_S)
        )
        command = [sys.executable, "-m", "codelutra", "worker", "--parent", str(os.getpid())]
        with open(self.folder / "worker-output.log", "ab") as output:
            self._child = subprocess.Popen(
                command,
                cwd=Path(__file__).parent,
                env=_environment() | {"CODELUTRA_HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started_at = time.monotonic()


def _environment() -> dict[str, str]:
    """For children; the passwords of people are for this process alone."""
    return {name: value for name, value in os.environ.items() if name != USERS}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    folder = home().absolute()
    try:
        log_to_stderr()
        access = Access.at(options.host)
        _check_port(options.host, options.port)
        if restored := restore_if_empty(folder):
            print(f"restored the snapshot of {restored.created_at} in {folder}", flush=True)
        jobs.prepare(folder)
    except (StorageError, CodeLutraError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.unsafe_local_execution:
        allow_unfenced()  # its worker inherits it
        if worker := find_worker(folder):
            print(
                f"a worker is running already (pid {worker.pid}) and stays as it was started; "
                f"for {UNSAFE} to count, end it with `kill {worker.pid}` first",
                file=sys.stderr,
            )
    keeper = WorkerKeeper(folder)
    keeper.start()
    is_container = options.container or access.is_space
    if is_container or address():
        signal.signal(signal.SIGTERM, _end)
    if os.environ.get(ZERO_GPU):
        _ask_for_no_gpu()
    blocks = shell.build(access)
    launch(blocks, options.host, options.port)
    if is_container:
        threading.Thread(target=_examine, name="doctor", daemon=True).start()
    try:
        print(
            f"CodeLutra is at {blocks.local_url} (Ctrl-C ends it; runs are kept in {folder})",
            flush=True,
        )
        threading.Event().wait()
    except KeyboardInterrupt:
        keeper.stop()
        blocks.close(verbose=False)
        print(_farewell(folder))
    return 0


def _examine() -> None:
    """What this place can do, to the log that is seen of it."""
    command = [sys.executable, "-m", "codelutra", "doctor"]
    subprocess.run(command, cwd=Path(__file__).parent, env=_environment(), check=False)


def _ask_for_no_gpu() -> None:
    """ZeroGPU ends a Space that names no function for its GPU: this one is never called."""
    import spaces  # there on every Gradio Space

    spaces.GPU(lambda: None)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """Of a container that is stopped nothing outlives us: let the worker take its last snapshot."""
    if worker := find_worker(home().absolute()):
        os.kill(worker.pid, signal.SIGTERM)
        with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            psutil.Process(worker.pid).wait(LAST_S)
    os._exit(0)


def launch(blocks: GuardedBlocks, host: str, port: int) -> None:
    """Serve the page and return; shared with the tests."""
    blocks.queue(default_concurrency_limit=4, max_size=MAX_WAITING)
    blocks._queue.sleep_when_free = QUEUE_LOOK_S
    blocks.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,
        share=False,
        ssr_mode=False,
        mcp_server=False,
        run_history=False,
        enable_monitoring=False,
        auth=blocks.access.sign_in if blocks.access.accounts else None,
        auth_message="Sign in to CodeLutra.",
        max_file_size=MAX_BODY_MB * 1_000_000,
        footer_links=[],
        theme=shell.theme(),
        css_paths=shell.CSS_FILES,
        head=shell.head_script(),
        app_kwargs={
            "routes": [Route("/health", answer_health), Route(live.PATH, blocks.live.answer)],
            "middleware": [
                Middleware(Gate, LOCAL if blocks.access.is_desk else ()),
                Middleware(Reloading),
            ],
        },
    )
    adopt(("uvicorn", "uvicorn.error", "uvicorn.access"))


def answer_health(_request: Request) -> JSONResponse:
    """For monitors, without login: 200 when runs can go on, else 503."""
    is_well, facts = alive.health()
    return JSONResponse({"ok": is_well, **facts}, status_code=200 if is_well else 503)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="app.py", description="CodeLutra's dashboard")
    everywhere = "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"
    host = os.environ.get("GRADIO_SERVER_NAME") or everywhere
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    parser.add_argument("--host", default=host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=port, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--container", action="store_true",
        help="print what `doctor` finds, and end the worker, too, when told to end (SIGTERM)",
    )  # fmt: skip
    parser.add_argument(UNSAFE, action="store_true", help=UNSAFE_HELP)
    return parser.parse_args(arguments)


def _check_port(host: str, port: int) -> None:
    """Raise OSError with one clear line when nobody could listen there."""
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
    except (OSError, OverflowError) as error:
        if getattr(error, "strerror", "") == "Address already in use":
            raise OSError(f"port {port} is in use: choose another with --port") from error
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"cannot listen on {host} port {port}: {reason}") from error


def _farewell(folder: Path) -> str:
    worker = find_worker(folder)
    if worker and worker.is_executing:
        return (
            f"The page has ended. The worker (pid {worker.pid}) goes on with its run; "
            f"stop it with `kill {worker.pid}`: the run is kept and continues at the next start."
        )
    return "The page has ended, and the worker with it. Nothing was running."


if __name__ == "__main__":
    sys.exit(main())
