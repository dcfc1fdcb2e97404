"""One engine for all comparisons of a worker, which gives way to a run. Real servers."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra.config import TransformersBackend
from codelutra.engine_room import EngineRoom, Evicted
from codelutra.errors import GenerationError, StopRequested
from codelutra.generation import GenerationRequest
from codelutra.serving.server import BASE, Server, Wanted
from storage import db, engines, jobs

LONG = GenerationRequest(20, 1.0, 1.0, 200, 0)


@pytest.fixture
def wanted(home: Path, tiny_model: str) -> Wanted:
    jobs.prepare(home)
    return Wanted(tiny_model, TransformersBackend())


def never() -> bool:
    return False


def state() -> str:
    with db.open_session() as session:
        return engines.get(session).state


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_run_takes_the_machine_and_who_waited_goes_on_after_it(wanted: Wanted) -> None:
    room, notes, servers = EngineRoom(idle_s=0.5), list[str](), list[Server]()

    def ask_until_evicted() -> None:
        with room.lease(wanted, never, notes.append) as server:
            servers.append(server)
            assert state() == "ready"
            for _ in server.client.stream(BASE, "SELECT", LONG):
                if state() == "ready":
                    room.evict(7)

    with pytest.raises(Evicted):
        ask_until_evicted()
    assert state() == "evicted"

    said: list[str] = []

    def ask() -> None:
        with room.lease(wanted, never, notes.append) as server:
            assert server not in servers
            request = GenerationRequest(1, 0.0, 1.0, 4, 0)
            said.extend(piece.text for piece in server.client.stream(BASE, "SELECT", request))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: any("run 7 has the machine" in note for note in notes))
    with pytest.raises(StopRequested), room.lease(wanted, lambda: True, notes.append):
        pass
    room.give_back(7)
    thread.join(60)
    assert "".join(said)
    wait_until(lambda: state() == "stopped")  # nobody asked for half a second


def test_a_batch_has_the_machine_alone_until_a_run_comes(wanted: Wanted) -> None:
    room, notes = EngineRoom(), list[str]()
    with room.alone(never, notes.append) as is_taken:
        with pytest.raises(StopRequested), room.lease(wanted, lambda: True, notes.append):
            pass
        assert "others use the machine" in notes[-1]
        assert not is_taken()
        room.evict(3)
        assert is_taken()


def test_what_cannot_be_loaded_is_said_and_does_not_stay(wanted: Wanted, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    room = EngineRoom()
    broken = Wanted(str(tmp_path), TransformersBackend())
    with pytest.raises(GenerationError, match="cannot load"), room.lease(broken, never, print):
        pass
    assert state() == "failed"
