"""Requests that people do not make: of other sites, with others' cookies, for others' files."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import app
from pages import shell
from pages.gate import MAX_BODY_MB
from pages.roles import Access, accounts_of
from storage import jobs
from tests.pages.conftest import DATABASE

ACCOUNTS = "ann:owner:ann's-secret eve:viewer:eves-secret"
EVENT = {"fn_index": 0, "data": [], "session_hash": "s"}
ORIGIN = "https://evil.example"
CROSS_SITE = (
    {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
    {"Origin": ORIGIN},  # of a browser on plain HTTP
    {"Origin": "null"},  # of a sandboxed frame
)


@pytest.fixture(scope="module")
def home_folder(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("gate")
    shutil.copy(prepared, folder / DATABASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODELUTRA_HOME", str(folder))
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        jobs.prepare(folder)
        yield folder


def launched(access: Access) -> Iterator[str]:
    blocks = shell.build(access)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app.launch(blocks, "127.0.0.1", port)
    yield f"http://127.0.0.1:{port}"
    blocks.close(verbose=False)


@pytest.fixture(scope="module")
def desk(home_folder: Path) -> Iterator[str]:
    yield from launched(Access({}))


@pytest.fixture(scope="module")
def network(home_folder: Path) -> Iterator[str]:
    yield from launched(Access(accounts_of(ACCOUNTS)))


def sign_in(client: httpx.Client, name: str = "ann", password: str = "ann's-secret") -> Any:
    return client.post("/login", data={"username": name, "password": password})


@pytest.fixture
def ann(network: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=network, timeout=60) as client:
        assert sign_in(client).status_code == 200
        yield client


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_another_site_cannot_act_with_a_visitors_cookie(
    ann: httpx.Client, headers: dict[str, str]
) -> None:
    for path in ("run/start_run", "call/start_run", "queue/join", "run/predict"):
        for kind in ("application/json", "text/plain"):
            sent = {**headers, "Content-Type": kind}
            answer = ann.post(f"/gradio_api/{path}", content=json.dumps(EVENT), headers=sent)
            assert answer.status_code == 403, path
    files = {"files": ("x.jsonl", b"{}")}
    assert ann.post("/gradio_api/upload", files=files, headers=headers).status_code == 403
    assert ann.post("/login", data={"username": "eve"}, headers=headers).status_code == 403
    read = {**headers, "Sec-Fetch-Mode": "cors"} if "Sec-Fetch-Site" in headers else headers
    assert ann.get("/config", headers=read).status_code == 403


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_another_site_cannot_act_at_a_desk_without_sign_in(
    desk: str, headers: dict[str, str]
) -> None:
    with httpx.Client(base_url=desk) as browser:
        answer = browser.post("/gradio_api/queue/join", json=EVENT, headers=headers)
        assert answer.status_code == 403
        files = {"files": ("x.jsonl", b"{}")}
        assert browser.post("/gradio_api/upload", files=files, headers=headers).status_code == 403


def test_a_name_that_leads_to_the_desk_is_not_the_desk(desk: str, network: str) -> None:
    """A site may have its own name point here, and is then of the same origin."""
    there = {"Host": "evil.example:7860", "Origin": "http://evil.example:7860",
             "Sec-Fetch-Site": "same-origin"}  # fmt: skip
    answer = httpx.post(f"{desk}/gradio_api/queue/join", json=EVENT, headers=there)
    assert answer.status_code == 421
    assert "set CODELUTRA_USERS" in answer.text
    named = {"Host": "localhost:7860"}
    assert httpx.get(f"{desk}/health", headers=named).status_code in (200, 503)
    assert httpx.get(f"{network}/health", headers=there).status_code in (200, 503)


def test_people_links_and_programs_come_through(ann: httpx.Client) -> None:
    own = str(ann.base_url).rstrip("/")
    for headers in ({"Sec-Fetch-Site": "same-origin", "Origin": own}, {"Origin": own}, {}):
        asked = ann.post("/gradio_api/call/runs", json={"data": []}, headers=headers)
        assert asked.status_code == 200, asked.text
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ann.get("/", headers=link).status_code == 200


def test_a_cookie_that_somebody_chose_beforehand_is_never_signed_in(network: str) -> None:
    with httpx.Client(base_url=network) as probe:
        names = list(sign_in(probe).cookies)
    assert len(names) == 2
    chosen = dict.fromkeys(names, "chosen-by-an-attacker")
    with httpx.Client(base_url=network, cookies=chosen) as victim:
        assert victim.get("/config").status_code == 401
        given = sign_in(victim)
        assert all(given.cookies[name] != "chosen-by-an-attacker" for name in names)
    with httpx.Client(base_url=network, cookies=chosen) as attacker:
        assert attacker.get("/config").status_code == 401


def test_a_session_ends_with_signing_out(network: str) -> None:
    with httpx.Client(base_url=network) as client:
        sign_in(client)
        kept = dict(client.cookies)
        assert client.get("/config").status_code == 200
        client.get("/logout")
    with httpx.Client(base_url=network, cookies=kept) as later:
        assert later.get("/config").status_code == 401


def test_files_of_the_machine_are_not_served(ann: httpx.Client, home_folder: Path) -> None:
    (home_folder / "uploads").mkdir(exist_ok=True)
    secret = home_folder / DATABASE
    up = home_folder / "uploads" / ".." / DATABASE
    for path in (secret, up, str(up).replace("..", "%2e%2e"), str(secret).replace("/", "%2f"),
                 "/etc/passwd", "../../../../etc/passwd", "/proc/self/environ",
                 f"file://{secret}"):  # fmt: skip
        for address in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}",
                        f"/static/{path}", f"/assets/{path}", f"/svelte/{path}"):  # fmt: skip
            answer = ann.get(address)
            assert answer.status_code in (401, 403, 404), (address, answer.status_code)


def test_no_event_takes_a_path_that_was_not_uploaded(ann: httpx.Client, home_folder: Path) -> None:
    config = ann.get("/config").json()
    kinds = {each["id"]: each["type"] for each in config["components"]}
    events = [
        (each, place)
        for each in config["dependencies"]
        for place, id in enumerate(each["inputs"])
        if kinds[id] in ("file", "uploadbutton") and each["backend_fn"]
    ]
    assert len(events) >= 4
    for event, place in events:
        for path in ("/etc/passwd", str(home_folder / DATABASE), "../../etc/passwd"):
            data: list[Any] = [None] * len(event["inputs"])
            data[place] = {"path": path, "meta": {"_type": "gradio.FileData"}}
            body = {"fn_index": event["id"], "data": data, "session_hash": "files"}
            answer = ann.post("/gradio_api/run/predict", json=body)
            assert answer.status_code == 500, answer.text
            assert "root:" not in answer.text
            assert "was not uploaded by a user" in answer.text, answer.text


@pytest.mark.parametrize(
    "name", ["../../evil.jsonl", "/etc/evil.jsonl", "..", "a/../../evil.jsonl"]
)
def test_an_uploads_name_leads_nowhere(ann: httpx.Client, home_folder: Path, name: str) -> None:
    answer = ann.post("/gradio_api/upload", files={"files": (name, b"{}")})
    if answer.status_code == 200:
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(home_folder / "uploads")
    else:
        assert answer.status_code == 400
    assert not Path("/etc/evil.jsonl").exists()


def test_a_handler_that_fails_is_one_event_of_the_log(
    ann: httpx.Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    event = ann.post("/gradio_api/call/start_run", json={"data": ["a", "b", 1, [1]]}).json()
    answer = ann.get(f"/gradio_api/call/start_run/{event['event_id']}").text
    assert "event: error" in answer
    assert "not a mapping" in answer
    (record,) = [each for each in caplog.records if each.name == "pages.roles"]
    assert record.getMessage() == "refine_api:start_run failed"
    assert record.exc_info
    assert "Traceback" not in capfd.readouterr().err


def test_a_refused_sign_in_is_logged_without_what_was_typed(
    network: str, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx.Client(base_url=network) as client:
        assert sign_in(client, "ann", "typed-here").status_code == 400
        assert sign_in(client, "typed-here", "x").status_code == 400
    said = [each.getMessage() for each in caplog.records if each.name == "pages.roles"]
    assert said == ["sign-in refused: ann", "sign-in refused: no such name"]


def send_head(address: str, *lines: str) -> str:
    """What is answered before a body was sent."""
    host, port = address.removeprefix("http://").split(":")
    head = ("POST /gradio_api/upload HTTP/1.1", f"Host: {host}:{port}", *lines)
    with closing(socket.create_connection((host, int(port)), 20)) as sent:
        sent.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
        return sent.makefile("rb").read().decode()


def test_what_is_too_large_is_refused_before_a_byte_of_it_is_kept(
    ann: httpx.Client, network: str, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = "Cookie: " + "; ".join(f"{name}={value}" for name, value in ann.cookies.items())
    kind = "Content-Type: multipart/form-data; boundary=x"
    said = send_head(network, cookie, kind, f"Content-Length: {(MAX_BODY_MB + 1) * 1_000_000}")
    assert "413" in said.splitlines()[0]
    assert f"{MAX_BODY_MB} MB at once is the most" in said
    said = send_head(network, cookie, kind, "Transfer-Encoding: chunked")
    assert "411" in said.splitlines()[0]
    monkeypatch.setenv("CODELUTRA_MIN_FREE_MB", "900000000")
    said = send_head(network, cookie, kind, "Content-Length: 2000000")
    assert "507" in said.splitlines()[0]
    assert "make room" in said
