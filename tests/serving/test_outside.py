"""`serve`: a run's states for others, asked as the line that it prints says."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from codelutra.config import RefineConfig
from codelutra.run_folder import RunFolder
from tests.generation.adapters import make_adapter

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_printed_line_is_answered_by_the_last_iteration(tmp_path: Path, monkeypatch) -> None:
    ledger = RunFolder(tmp_path / "run", RefineConfig.for_model("starter"))
    ledger.add_adapter(1, make_adapter(tmp_path / "run" / "adapter-1"))
    monkeypatch.setenv("CODELUTRA_SERVE_KEY", "let me in")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "codelutra", "serve", str(tmp_path / "run"), "--port", port]
    command += ["--backend", "transformers"]
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        assert server.stdout
        line = server.stdout.readline()
        assert line.startswith("curl ")
        asked = subprocess.run(line, shell=True, capture_output=True, check=True, timeout=60)
        answer = json.loads(asked.stdout)
        assert answer["model"] == "iteration-1"
        assert answer["usage"]["completion_tokens"] > 0
        refused = subprocess.run(
            line.replace("Bearer", "Basic"), shell=True, capture_output=True, timeout=60
        )
        assert b"bearer token" in refused.stdout
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
