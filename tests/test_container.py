"""What the Docker image holds, run as Docker runs it: user 1000, read-only source, its profile."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from gradio_client import Client

from codelutra.deploy import lay_out, space_files
from tests.container import dockerfile
from tests.lab import wait_for
from tests.sandbox.test_conditions import PROFILE, ROOT

USER = ("ann", "long-enough")
SECONDS = 300.0  # of a start on a machine that is busy otherwise
pytestmark = pytest.mark.slow


@dataclass
class Container:
    process: psutil.Process  # its process 1
    url: str
    log: Path

    def status(self) -> dict[str, str]:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def health(self) -> dict[str, object]:
        try:
            return dict(httpx.get(f"{self.url}/health", timeout=10).json())
        except httpx.HTTPError:
            return {}


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    namespaces = ["unshare", "--mount", "--pid", "--fork"]
    if os.getuid() != 0 or subprocess.run([*namespaces, "true"]).returncode != 0:
        pytest.skip("only root can make namespaces, and not everywhere")
    image = tmp_path / "image"
    lay_out(space_files("gpu"), image)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = image / "log"
    with log.open("wb") as output:
        outer = subprocess.Popen(
            [
                *namespaces, "--mount-proc", "--kill-child",
                *(sys.executable, "-m", "tests.container", str(image)),
                str(PROFILE) if PROFILE.exists() else "",
                *("SYSTEM=", f"GRADIO_SERVER_PORT={port}", "OMP_NUM_THREADS=1"),
                f"CODELUTRA_USERS={USER[0]}:owner:{USER[1]}",
            ],
            cwd=ROOT, stdout=output, stderr=output,
        )  # fmt: skip
    (inner,) = wait_for(lambda: outer.poll() or psutil.Process(outer.pid).children(), 20)
    found = Container(inner, f"http://127.0.0.1:{port}", log)
    wait_for(lambda: outer.poll() is not None or found.health().get("ok"), SECONDS)
    assert outer.poll() is None, log.read_text()
    yield found
    outer.kill()
    outer.wait()


def test_the_image_runs_grades_and_ends_in_order(container: Container) -> None:
    status = container.status()
    assert status["Uid"].split() == [dockerfile(ROOT).user] * 4
    assert (status["NSpid"].split()[-1], status["Seccomp"]) == ("1", "2")
    assert int(status["CapEff"], 16) == 0

    root = Path(f"/proc/{container.process.pid}/root")
    app = Path(dockerfile(ROOT).workdir)
    assert os.statvfs(root / app.relative_to("/")).f_flag & os.ST_RDONLY
    home = os.open(root / "home/user/.codelutra", os.O_PATH)  # outlives the container

    wait_for(lambda: " ok  sandbox    seccomp" in container.log.read_text(), SECONDS)
    client = Client(container.url, auth=USER, verbose=False)
    number = client.predict("starter", api_name="/check_tasks")
    check = wait_for(
        lambda: (now := client.predict(number, api_name="/check_status"))["status"]
        not in ("queued", "running") and now,
        SECONDS,
    )  # fmt: skip
    assert (check["status"], check["findings"]) == ("completed", [])
    if "CODELUTRA_FULL" in os.environ:
        small = {"max_train": 4, "max_heldout": 4, "sampling.num_samples": 4}
        run = client.predict("starter", "starter", 1, small, api_name="/start_run")
        last = wait_for(
            lambda: (now := client.predict(run, api_name="/run_status"))["status"]
            not in ("queued", "running") and now,
            2 * SECONDS,
        )  # fmt: skip
        assert last["status"] == "completed", last

    container.process.send_signal(signal.SIGTERM)
    container.process.wait(40)
    assert "Traceback" not in container.log.read_text()
    told = Path(f"/proc/self/fd/{home}/worker.log").read_text()
    os.close(home)
    assert "ends; what is under way continues with the next worker" in told
