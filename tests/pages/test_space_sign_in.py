"""Sign-in as on a Space, against a provider of a few lines: whose callback is believed."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gradio.oauth
import httpx
import pytest

from pages.roles import Access
from tests.pages.test_gate import home_folder, launched

itsdangerous = pytest.importorskip("itsdangerous")
pytest.importorskip("authlib")
__all__ = ["home_folder"]
SECRET = "of-the-space"


class Provider(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ProviderHandler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.num_codes = 0  # that were redeemed


class ProviderHandler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        places = {name: f"{self.server.address}/{name}" for name in
                  ("authorization_endpoint", "token_endpoint", "jwks_uri")}  # fmt: skip
        self.answer({"issuer": self.server.address, **places})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.num_codes += 1
        self.answer({"access_token": "t", "token_type": "bearer", "expires_in": 60})

    def answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def space(home_folder: Path, provider: Provider) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"SYSTEM": "spaces", "SPACE_ID": "kim/lab", "SPACE_AUTHOR_NAME": "kim",
                            "SPACE_HOST": "kim-lab.hf.space"}.items():  # fmt: skip
            patch.setenv(name, value)
        patch.setattr(gradio.oauth, "OAUTH_CLIENT_ID", "lab")
        patch.setattr(gradio.oauth, "OAUTH_CLIENT_SECRET", SECRET)
        patch.setattr(gradio.oauth, "OAUTH_SCOPES", "openid")
        patch.setattr(gradio.oauth, "OPENID_PROVIDER_URL", provider.address)
        for address in launched(Access({}, is_space=True)):
            with httpx.Client(base_url=address, timeout=60) as client:
                yield client


def with_cookie(session: str) -> dict[str, str]:
    """The cookie is for https alone; here it is sent by hand."""
    return {"Cookie": f"session={session}"}


def begin(space: httpx.Client) -> tuple[str, str]:
    """A visitor's cookie, and the state that the provider gets."""
    space.cookies.clear()
    answer = space.get("/login/huggingface")
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    cookie = answer.headers["set-cookie"].removeprefix("session=").split(";")[0]
    space.cookies.clear()
    return cookie, state


def test_a_callback_counts_for_the_browser_that_began_it_alone(
    space: httpx.Client, provider: Provider
) -> None:
    cookie, state = begin(space)
    _, foreign = begin(space)
    for query, headers in (
        (f"code=c&state={state}", {}),  # an attacker's link, opened by somebody else
        (f"code=c&state={foreign}", with_cookie(cookie)),
        ("code=c", with_cookie(cookie)),
        ("code=c&state=", with_cookie(cookie)),
    ):
        answer = space.get(f"/login/callback?{query}", headers=headers)
        assert answer.headers["location"].startswith("/login/huggingface"), query
        assert "oauth_info" not in str(read(answer)), query
    assert provider.num_codes == 0
    answer = space.get(f"/login/callback?code=c&state={state}", headers=with_cookie(cookie))
    assert provider.num_codes == 1
    assert answer.headers["location"] == "/"
    again = space.get(f"/login/callback?code=c&state={state}", headers=with_cookie("x"))
    assert again.headers["location"].startswith("/login/huggingface")
    assert provider.num_codes == 1


def test_a_callback_leads_to_this_page_alone(space: httpx.Client) -> None:
    cookie, state = begin(space)
    away = "_target_url=https%3A%2F%2Fevil.example%2Fx"
    answer = space.get(f"/login/callback?code=c&state={state}&{away}", headers=with_cookie(cookie))
    assert answer.headers["location"] == "/x"


def signed(secret: str, expires_at: float) -> str:
    """A session cookie as Starlette signs it."""
    info = {"userinfo": {"preferred_username": "kim"}, "expires_at": expires_at}
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    key = hashlib.sha256(f"{secret}-v4".encode()).hexdigest()
    return itsdangerous.TimestampSigner(key).sign(data).decode()


def read(answer: httpx.Response) -> Any:
    value = answer.headers.get("set-cookie", "session=").removeprefix("session=").split(";")[0]
    return base64.b64decode(value.split(".")[0] + "==") if value else {}


def test_a_forged_or_expired_session_may_do_nothing(space: httpx.Client) -> None:
    def start(cookie: str) -> str:
        body = {"data": ["nothing", "starter", 1, {}]}
        headers = with_cookie(cookie)
        event = space.post("/gradio_api/call/start_run", json=body, headers=headers).json()
        found = space.get(f"/gradio_api/call/start_run/{event['event_id']}", headers=headers)
        return found.text

    later = time.time() + 999
    assert "no task set" in start(signed(SECRET, later)), "the owner is let in"
    for cookie in (signed("", later), signed("guessed", later), signed(SECRET, 1), "kim"):
        assert "Sign in: this is for an owner" in start(cookie)
