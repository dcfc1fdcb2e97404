"""Every backend, loaded once: what the contract suite runs on."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from codelutra.starter import MODEL_DIR

FLOAT32 = {"dtype": "float32"}
TRANSFORMERS: dict[str, Any] = {"backend": "transformers", **FLOAT32}
VLLM_LORA: dict[str, Any] = {"backend": "vllm", "adapter": "lora", **FLOAT32}
VLLM_MERGED: dict[str, Any] = {"backend": "vllm", "adapter": "merged", **FLOAT32}
needs_vllm = pytest.mark.vllm


@contextmanager
def vllm_server(rank: int = 16) -> Iterator[str]:
    """A real vLLM server on loopback with the starter; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(MODEL_DIR), "--served-model-name", "starter-served"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--enable-lora", "--max-lora-rank", str(rank), "--enforce-eager"]
    command += ["--max-model-len", "512", "--no-enable-chunked-prefill"]
    command += ["--max-num-batched-tokens", "8192"]
    environment = {
        **os.environ,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 240
        while not _answers(url + "/health"):
            assert server.poll() is None, "the vLLM server ended"
            assert time.monotonic() < deadline, "the vLLM server did not start"
            time.sleep(0.5)
        yield url + "/v1"
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False
