"""What is said of a model that cannot be had, by a server that answers as the Hub does."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from codelutra.config import STARTER, RefineConfig
from codelutra.errors import ModelError
from codelutra.fit import check
from codelutra.models import check_model

CONFIG = "/resolve/main/config.json"
# Status and headers of huggingface.co, asked for a file without a token.
ANSWERS: dict[str, tuple[int, dict[str, str]]] = {
    "/lab/open" + CONFIG: (200, {"ETag": '"1"', "X-Repo-Commit": "a" * 40}),
    "/lab/gated" + CONFIG: (401, {"X-Error-Code": "GatedRepo"}),
    "/lab/asked" + CONFIG: (403, {"X-Error-Code": "GatedRepo"}),  # with a token not yet let in
    "/lab/data" + CONFIG: (404, {"X-Error-Code": "EntryNotFound"}),
    "/lab/broken" + CONFIG: (500, {}),
}


class Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        # Everybody may see a gated model's page: it is the files that are not given.
        is_page = self.path.startswith(("/api/models/lab/gated", "/api/models/lab/asked"))
        nothing = (401, {"X-Error-Code": "RepoNotFound"})
        status, headers = (200, {}) if is_page else ANSWERS.get(self.path, nothing)
        body = b'{"id": "lab/gated", "gated": "manual"}'
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


def refusal(model: str) -> str:
    with pytest.raises(ModelError) as caught:
        check_model(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_of_the_hub_may_be_used(hub: None) -> None:
    check_model("lab/open")


@pytest.mark.parametrize("model", ["lab/gated", "lab/asked"])
def test_a_gated_model_is_refused_before_a_run_with_what_to_do(hub: None, model: str) -> None:
    expected = f"{model} is gated: accept its licence on its Hub page, then run `hf auth login`"
    assert refusal(model) == expected
    with pytest.raises(ModelError, match="is gated"):
        check(RefineConfig(model=model), [])


def test_an_id_that_is_wrong_or_private(hub: None) -> None:
    assert refusal("lab/nothing").startswith("unknown model 'lab/nothing', or a private one: give")


def test_a_name_that_can_be_no_id() -> None:
    assert refusal("three/parts/long").startswith("unknown model 'three/parts/long': give")


def test_a_repository_without_a_model(hub: None) -> None:
    assert refusal("lab/data").startswith("lab/data has no config.json on the Hub: give")


def test_a_hub_that_is_out_of_order_or_out_of_reach(
    hub: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "is not on this machine and the Hub does not answer: give"
    assert refusal("lab/broken").startswith(f"lab/broken {message}")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert refusal("lab/open").startswith(f"lab/open {message}")


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)) == f"{tmp_path} is no model folder: config.json is missing"
    missing = tmp_path / "nothing"
    assert refusal(str(missing)) == f"model folder {missing} does not exist"
    check_model(STARTER)
