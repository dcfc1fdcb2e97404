"""Pushing to a Hub that is not there, and to one of a few lines."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from codelutra.adapters import SETTINGS, WEIGHTS
from codelutra.ledger import Ledger
from tests.finished_run import adapters, export, filled
from tests.test_cli import fails

__all__ = ["adapters", "filled"]

REPO = "me/mine"


class Hub(ThreadingHTTPServer):
    """Holds one repository; speaks what `create_repo` and `upload_folder` ask, and no more."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.is_private: bool | None = None  # None: there is no repository yet
        self.kinds: set[str] = set()  # of the repositories that were asked for
        self.files: dict[str, bytes] = {}
        self.status = 200  # of every answer


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        if "/tree/" in self.path:
            known = [{"type": "file", "path": p, "size": 1, "oid": "0"} for p in self.server.files]
            return self._answer(known)
        names = [{"rfilename": name} for name in self.server.files]
        self._answer({"id": REPO, "private": self.server.is_private, "siblings": names})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            kind = asked.get("type") or "model"
            self.server.kinds.add(kind)
            if self.server.is_private is None and self.server.status == 200:
                self.server.is_private = asked["visibility"] == "private"
            place = f"{'datasets/' if kind == 'dataset' else ''}{asked['organization']}"
            self._answer({"url": f"{self.server.address}/{place}/{asked['name']}"})
        elif "/preupload/" in self.path:
            paths = [file["path"] for file in json.loads(body)["files"]]
            plain = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer({"files": [{"path": path, **plain} for path in paths]})
        elif "/commit/" in self.path:
            self._commit(list(map(json.loads, body.splitlines())))
            self._answer(
                {"commitUrl": f"{self.server.address}/{REPO}/commit/0", "commitOid": "0" * 40}
            )
        else:
            self._answer({"errors": [], "warnings": []})  # of the card's front matter

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del self.server.files[value["path"]]

    def _answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_not_a_real_one")
    yield hub
    hub.shutdown()
    thread.join()
    hub.server_close()


def test_a_push_makes_a_private_repository_with_the_folders_files(
    hub: Hub, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(filled.folder, tmp_path / "out", "--push", REPO) == 0
    assert hub.is_private is True
    assert hub.files == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert (
        f"PeftModel.from_pretrained(model, {json.dumps(REPO)})" in hub.files["README.md"].decode()
    )
    assert f"pushed to {hub.address}/{REPO}" in capsys.readouterr().out


def test_a_repository_holds_the_weights_of_one_export(
    hub: Hub, filled: Ledger, tmp_path: Path
) -> None:
    assert export(filled.folder, tmp_path / "adapter", "--push", REPO) == 0
    hub.files["LICENSE"] = b"mine"
    assert export(filled.folder, tmp_path / "merged", "--merge", "--push", REPO) == 0
    assert not {WEIGHTS, SETTINGS} & hub.files.keys()
    assert {"model.safetensors", "LICENSE"} <= hub.files.keys()


def test_a_public_repository_needs_the_word(
    hub: Hub, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.is_private = False
    wish = ("export", "adapter", str(filled.folder), "--push", REPO, "--out")
    assert "me/mine is public on the Hub already: add --public" in fails(
        capsys, *wish, f"{tmp_path}/a"
    )
    assert hub.files == {}
    assert (tmp_path / "a" / WEIGHTS).exists()
    assert export(filled.folder, tmp_path / "b", "--push", REPO, "--public") == 0
    assert WEIGHTS in hub.files


def test_a_new_repository_is_public_on_demand(hub: Hub, filled: Ledger, tmp_path: Path) -> None:
    assert export(filled.folder, tmp_path / "out", "--push", REPO, "--public") == 0
    assert hub.is_private is False


def test_a_private_repository_is_not_taken_for_a_public_one(
    hub: Hub, filled: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.is_private = True
    wish = ("export", "adapter", str(filled.folder), "--out", str(tmp_path / "out"))
    message = fails(capsys, *wish, "--push", REPO, "--public")
    assert "me/mine is private on the Hub already: leave out --public" in message
    assert hub.files == {}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "run `hf auth login`"),
        (403, "may not write there"),
        (400, "the Hub does not take it ("),
    ],
)
def test_what_the_hub_refuses_is_one_line_and_the_folder_stays(
    status: int,
    reason: str,
    hub: Hub,
    filled: Ledger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.status, out = status, tmp_path / "out"
    wish = ("export", "adapter", str(filled.folder), "--out", str(out), "--push", REPO)
    message = fails(capsys, *wish)
    assert reason in message
    assert f"hf upload {REPO} {out}" in message
    assert (out / WEIGHTS).exists()


def test_an_unreachable_hub_is_one_line_and_the_folder_stays(
    filled: Ledger, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["export", "adapter", str(filled.folder), "--out", str(out), "--push", REPO]
    done = subprocess.run(
        [sys.executable, "-m", "codelutra", *command],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "HF_HOME": str(tmp_path / "hf"),  # without a token
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: not pushed to me/mine, the Hub does not answer (")
    assert f"hf upload me/mine {out}" in line
    assert (out / WEIGHTS).exists()
