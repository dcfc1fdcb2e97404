"""Who may do what: accounts, sign-in, and every endpoint of the running app without rights."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from codelutra.errors import CodeLutraError
from pages import shell
from pages.roles import ROLES, USERS, Access, Role, Visitor, accounts_of, name_of, on_space
from storage.lock import find_worker

ROOT = Path(__file__).parents[2]
ACCOUNTS = "ann:owner:ann's-secret bob:curator:bobs-secret eve:viewer:eves-secret"
PASSWORDS = {"ann": "ann's-secret", "bob": "bobs-secret", "eve": "eves-secret"}
HUMAN = {"preferred_username": "kim", "orgs": [{"preferred_username": "lab", "roleInOrg": "write"}]}


def test_the_table_names_every_handler_and_nothing_else(store: Path) -> None:
    """A new handler is refused to all but owners until somebody has thought of it."""
    handlers = {name_of(fn.fn) for fn in shell.build().fns.values() if fn.fn}
    assert handlers == set(ROLES)


def test_a_network_needs_accounts_and_a_space_a_real_sign_in() -> None:
    assert Access.at("127.0.0.1", {}).visitor(None).role is Role.OWNER
    with pytest.raises(CodeLutraError, match="opens the page to a network: set CODELUTRA_USERS"):
        Access.at("0.0.0.0", {})
    assert set(Access.at("0.0.0.0", {USERS: ACCOUNTS}).accounts) == {"ann", "bob", "eve"}
    with pytest.raises(CodeLutraError, match="set SYSTEM=spaces"):
        Access.at("0.0.0.0", {"SPACE_ID": "lab/codelutra"})
    assert Access.at("0.0.0.0", {"SPACE_ID": "lab/codelutra", "SYSTEM": "spaces"}).is_space


@pytest.mark.parametrize(
    ("setting", "said"),
    [("ann", "entry 1"), ("ann:boss:longenough", "entry 1"), ("ann:owner:short", "8 characters"),
     ("ann:owner:longenough :viewer:longenough", "entry 2")],
)  # fmt: skip
def test_a_broken_account_is_told_without_its_password(setting: str, said: str) -> None:
    with pytest.raises(CodeLutraError, match=said) as refused:
        accounts_of(setting)
    assert "longenough" not in str(refused.value)
    assert "short" not in str(refused.value)


def test_a_password_may_hold_colons_and_must_be_the_right_one() -> None:
    access = Access(accounts_of("ann:owner:a:b:c:d:e:f"))
    assert access.sign_in("ann", "a:b:c:d:e:f")
    assert not access.sign_in("ann", "a:b:c:d:e")
    assert not access.sign_in("nobody", "\0")
    assert not access.sign_in("", "")


@pytest.mark.parametrize(
    ("info", "environ", "visitor"),
    [
        (None, {"SPACE_AUTHOR_NAME": "kim"}, Visitor("", Role.VIEWER)),
        (HUMAN, {"SPACE_AUTHOR_NAME": "kim"}, Visitor("kim", Role.OWNER)),
        (HUMAN, {"SPACE_AUTHOR_NAME": "lab"}, Visitor("kim", Role.OWNER)),
        (HUMAN, {"SPACE_AUTHOR_NAME": "other"}, Visitor("kim", Role.VIEWER)),
        (HUMAN, {"CODELUTRA_CURATORS": "zoe, kim"}, Visitor("kim", Role.CURATOR)),
        (HUMAN | {"orgs": [{"preferred_username": "lab", "roleInOrg": "read"}]},
         {"SPACE_AUTHOR_NAME": "lab"}, Visitor("kim", Role.VIEWER)),
        ({"preferred_username": ""}, {}, Visitor("", Role.VIEWER)),
    ],
)  # fmt: skip
def test_on_a_space_hugging_face_says_who_somebody_is(
    info: Any, environ: dict[str, str], visitor: Visitor
) -> None:
    assert on_space(info, environ) == visitor


def test_on_a_space_a_sign_in_ends_when_hugging_face_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cookie that keeps it lives on."""
    monkeypatch.setenv("SPACE_AUTHOR_NAME", "kim")
    space = Access({}, is_space=True)
    for seconds, role in ((60, Role.OWNER), (-1, Role.VIEWER)):
        info = {"userinfo": HUMAN, "expires_at": time.time() + seconds}
        assert space.visitor(SimpleNamespace(session={"oauth_info": info})).role is role


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python app.py` with three accounts; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("roles")
    log = folder / "app.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, "CODELUTRA_HOME": str(folder / "home"), USERS: ACCOUNTS},
        )  # fmt: skip
    deadline = time.monotonic() + 120
    try:
        while b"CodeLutra is at" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        while not ((worker := find_worker(folder / "home")) and worker.pid):
            assert time.monotonic() < deadline, "the worker does not start"
        assert b"secret" not in Path(f"/proc/{worker.pid}/environ").read_bytes()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def signed_in(app: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=app, timeout=60)
    answer = client.post("/login", data={"username": name, "password": PASSWORDS[name]})
    assert answer.status_code == 200, answer.text
    return client


def call(client: httpx.Client, dependency: dict[str, Any], data: list[Any] | None = None) -> str:
    """What an event answers, as text; its inputs are all null unless given."""
    event = {
        "fn_index": dependency["id"], "data": data or [None] * len(dependency["inputs"]),
        "event_data": {"do": "keep", "run": 1, "by": 1, "quarantine": "x"},
        "session_hash": f"s{dependency['id']}",
    }  # fmt: skip
    if dependency["queue"] is False:
        return client.post("/gradio_api/run/predict", json=event).text
    joined = client.post("/gradio_api/queue/join", json=event)
    assert joined.status_code == 200, joined.text
    found = ""
    events = f"/gradio_api/queue/data?session_hash={event['session_hash']}"
    with client.stream("GET", events) as stream:
        for line in stream.iter_lines():
            found += line
            if "process_completed" in line:
                return found
    return found


def refused(answer: str) -> bool:
    return "this is for a" in answer


def test_every_endpoint_refuses_who_has_no_right_to_it(app: str, tmp_path: Path) -> None:
    tasks_file = tmp_path / "tasks.jsonl"
    tasks_file.write_text("")
    names = {id: name_of(fn.fn) for id, fn in shell.build().fns.items() if fn.fn}
    with httpx.Client(base_url=app) as nobody:
        assert nobody.get("/config").status_code == 401
        assert nobody.post("/gradio_api/run/predict", json={"fn_index": 0}).status_code == 401
        assert nobody.post("/gradio_api/queue/join", json={"fn_index": 0}).status_code == 401
        assert nobody.post("/gradio_api/upload", files={"files": b"x"}).status_code == 401
    bad = httpx.post(f"{app}/login", data={"username": "ann", "password": "wrong"})
    assert bad.status_code == 400
    with closing(signed_in(app, "eve")) as eve, closing(signed_in(app, "bob")) as bob:
        dependencies = [d for d in eve.get("/config").json()["dependencies"] if d["backend_fn"]]
        assert {d["id"] for d in dependencies} == set(names)
        asked = set()
        for dependency in dependencies:
            role = ROLES[names[dependency["id"]]]
            if role > Role.VIEWER:
                assert refused(call(eve, dependency)), names[dependency["id"]]
                asked.add(role)
            if role > Role.CURATOR:
                assert refused(call(bob, dependency)), names[dependency["id"]]
        assert asked == {Role.CURATOR, Role.OWNER}
        for name in ("pairs:render.<locals>.on_event", "refine:_wire.<locals>.click",
                     "tasks:render.<locals>.click"):  # fmt: skip
            mixed = next(d for d in dependencies if names[d["id"]] == name)
            assert refused(call(eve, mixed)), name
        path = str(tasks_file)
        sets = next(d for d in dependencies if names[d["id"]] == "tasks:check_tasks")
        asked_of = next(d for d in dependencies if names[d["id"]] == "compare.api:compare")
        for client, dependency, data in (
            (bob, sets, [path]),
            (bob, asked_of, ["p", ["base:starter", "http://evil/v1 m"], "", "", 0, 1, 9, 0]),
            (bob, asked_of, ["p", ["base:starter", str(ROOT)], "", "", 0, 1, 9, 0]),
        ):  # fmt: skip
            assert refused(call(client, dependency, data)), (names[dependency["id"]], data)
        runs = next(d for d in dependencies if names[d["id"]] == "refine_api:list_runs")
        assert not refused(call(eve, runs))


def test_an_owner_is_let_in_and_a_files_path_is_not(app: str) -> None:
    with closing(signed_in(app, "ann")) as ann:
        dependencies = ann.get("/config").json()["dependencies"]
        names = {id: name_of(fn.fn) for id, fn in shell.build().fns.items() if fn.fn}
        start = next(d for d in dependencies if names.get(d["id"]) == "refine_api:start_run")
        assert not refused(call(ann, start))
        for path in ("/etc/passwd", "../../etc/passwd", str(ROOT / "app.py")):
            assert ann.get(f"/gradio_api/file={path}").status_code in (403, 404)
