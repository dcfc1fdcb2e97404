"""A Hub of a few lines on this machine: one repository that is pushed to and pulled from."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

REPO = "me/mine"
SHA = "0123456789abcdef0123456789abcdef01234567"  # of the newest commit


class Hub(ThreadingHTTPServer):
    """Speaks what `create_repo`, `upload_folder` and downloads ask, and no more."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.is_private: bool | None = None  # None: there is no repository yet
        self.kinds: set[str] = set()  # of the repositories that were asked for
        self.files: dict[str, bytes] = {}
        self.status = 200  # of every answer
        self.card: dict[str, str] = {}  # front matter of its README.md
        self.token = ""  # without which nothing is read, as of a gated model
        self.asked: list[str] = []  # paths of downloads
        self.delay_s = 0.0  # before an answer


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        time.sleep(self.server.delay_s)
        if REPO not in self.path:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            return self._send(401, b"{}", {"X-Error-Code": "GatedRepo"})
        if "/resolve/" in self.path:
            name = self.path.partition("/resolve/")[2].partition("/")[2]
            return self._give(self.server.files.get(name))
        if "/tree/" in self.path:
            known = [
                {"type": "file", "path": path, "size": len(content), "oid": _etag(content)}
                for path, content in self.server.files.items()
            ]
            return self._answer(known)
        if "/revision/no-such" in self.path:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        names = [{"rfilename": name} for name in self.server.files]
        private = self.server.is_private
        self._answer({"id": REPO, "private": private, "sha": SHA, "siblings": names,
                      "cardData": self.server.card})  # fmt: skip

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

    def _give(self, content: bytes | None) -> None:
        if content is None:
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        self._send(200, content, {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": SHA})

    def _answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self._send(self.server.status, content, {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
    thread.start()
    yield hub
    hub.shutdown()
    thread.join()
    hub.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """For this process; one that is started anew finds it by HF_ENDPOINT."""
    with serving() as hub:
        constants = huggingface_hub.constants
        files = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_not_a_real_one")
        yield hub
