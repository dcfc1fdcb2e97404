"""vLLM's own OpenAI server as a child: in a group of its own, which ends with whoever started it.

Run as a program it is that group's leader: it starts vLLM, whose engine is a process of its own
that would outlive a killed parent and keep the GPU, and kills all of them.

    echo '{"model": ..., "backend": ...}' | python -m codelutra.serving.vllm_child
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codelutra.child_environment import for_children
from codelutra.errors import GenerationError, StopRequested
from codelutra.phase_child import die_with_parent

POLL_S = 0.3
START_S = 1200.0  # a large model is read from a slow disk
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM has LoRA kernels for
AT_ONCE = 4  # adapters in one batch
KEPT = 64  # adapters in memory


class VllmChild:
    """Spoken to as to a PhaseChild. The thread that makes it must live as long as the server."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "codelutra.serving.vllm_child"],
                stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True,
                env=for_children(),
            )  # fmt: skip

    def ask(
        self, job: dict[str, Any], *, log: Path, should_stop: Callable[[], bool]
    ) -> Iterator[dict[str, Any]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert self._process.stdin
        self._process.stdin.write(json.dumps({**job, "port": port}).encode())
        self._process.stdin.close()
        deadline = time.monotonic() + START_S
        while not _answers(port):
            if should_stop():
                raise StopRequested("stopped on request")
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise GenerationError(f"the vLLM server did not start: see {log}")
            time.sleep(POLL_S)
        yield {"port": port}

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def command(job: dict[str, Any], window: int | None) -> list[str]:
    """`vllm serve` of the job's base, to which adapters can be added."""
    backend = job["backend"]
    limits = [each for each in (backend["max_model_len"], window) if each]
    rank = next((each for each in RANKS if each >= job["rank"]), RANKS[-1])
    options = {
        "model": job["model"],
        "served-model-name": job["name"],
        "host": job.get("host", "127.0.0.1"),
        "port": job["port"],
        "dtype": backend["dtype"],
        "max-model-len": min(limits, default=None),
        "max-num-seqs": backend["max_num_seqs"],
        "gpu-memory-utilization": backend["gpu_memory_utilization"],
        "tensor-parallel-size": backend["tensor_parallel"],
        "max-lora-rank": rank,
        "max-loras": AT_ONCE,
        "max-cpu-loras": KEPT,
    }
    named = [f"--{name}={value}" for name, value in options.items() if value is not None]
    adapters = [f"{name}={folder}" for name, folder in job.get("adapters", {}).items()]
    return [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enable-lora", *named,
        *(["--lora-modules", *adapters] if adapters else []),
    ]  # fmt: skip


def environment(job: dict[str, Any]) -> dict[str, str]:
    """The token is in no command line, which everybody on the machine can read."""
    found = {
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # threads bound to cores starve what else runs there
        "VLLM_CPU_KVCACHE_SPACE": "1",
        **for_children(),
        "VLLM_NO_USAGE_STATS": "1",
    }
    if job.get("token"):
        found["VLLM_API_KEY"] = job["token"]
    if "adapters" not in job:  # they come later
        found["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    return found


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except OSError:
        return False


def settled(job: dict[str, Any]) -> list[str]:
    """The command for this machine and this model's window."""
    import torch
    from transformers import AutoConfig

    from codelutra.generation.reading import window_of
    from codelutra.generation.transformers_backend import has_fast_bfloat16

    if job["backend"]["dtype"] == "auto":
        dtype = "bfloat16" if has_fast_bfloat16() else "float32"
        job = {**job, "backend": {**job["backend"], "dtype": dtype}}
    found = command(job, window_of(AutoConfig.from_pretrained(job["model"])))
    return found if torch.cuda.is_available() else [*found, "--enforce-eager"]


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    die_with_parent(signal.SIGTERM)
    job = json.load(sys.stdin)
    return subprocess.Popen(settled(job), env=environment(job), stdin=subprocess.DEVNULL).wait()


if __name__ == "__main__":
    sys.exit(main())
