"""The worker's engine server: at most one, started when somebody asks, and a run always goes first.

What it says of itself is a row that the pages read; nobody but the worker knows its token.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from codelutra.errors import CodeLutraError, StopRequested
from codelutra.serving.server import Server, Wanted
from storage import db, engines
from storage.compare_models import Engine

IDLE_S = 600.0  # after which it is stopped
POLL_S = 0.3
PLACE = "engine"  # below the home: its log, and copies of adapters

log = logging.getLogger(__name__)
Note = Callable[[str], None]


class Evicted(CodeLutraError):
    """A run took the machine while an answer was under way."""


class EngineRoom:
    """Shared by all comparisons of the worker."""

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._run_id: int | None = None  # the run that has the machine
        self._server: Server | None = None
        self._is_ready = False
        self._users = 0
        self._is_lent = False  # to a batch, which loads models itself
        self._idle_since = time.monotonic()
        # vLLM's server ends with the thread that started it: this one stays.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._say("stopped")
        threading.Thread(target=self._watch_idle, name="engine-idle", daemon=True).start()

    def evict(self, run_id: int) -> None:
        """A run begins: whatever is under way loses its engine and waits."""
        with self._changed:
            self._run_id = run_id
            had_one = self._server is not None
            self._stop()
        if had_one:
            log.info("run %d takes the machine from the engine", run_id)
        self._say("evicted", run_id=run_id)

    def give_back(self, run_id: int) -> None:
        with self._changed:
            if self._run_id != run_id:
                return
            self._run_id = None
            self._changed.notify_all()
        self._say("stopped")

    @contextmanager
    def lease(
        self, wanted: Wanted, should_stop: Callable[[], bool], on_note: Note
    ) -> Iterator[Server]:
        """A server that is ready, for as long as the block lasts or until a run begins.

        Waits for its turn. Raises StopRequested, GenerationError, and Evicted out of the block
        when what failed in it failed because of a run.
        """
        server = self._claim(wanted, should_stop, on_note)
        try:
            yield server
        except CodeLutraError as error:
            with self._changed:
                is_gone = self._server is not server
                if not is_gone and not isinstance(error, StopRequested):
                    self._stop()  # whatever is wrong with it, the next one starts afresh
                    self._say("failed", reason=str(error))
            if is_gone and not isinstance(error, StopRequested):
                raise Evicted("a run took the machine") from error
            raise
        finally:
            with self._changed:
                self._users -= 1
                self._idle_since = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def alone(self, should_stop: Callable[[], bool], on_note: Note) -> Iterator[Callable[[], bool]]:
        """The machine without any server, for somebody who loads models himself.

        Yields what says that a run has taken it. Raises StopRequested.
        """
        with self._changed:
            self._wait(lambda: self._users > 0 or self._is_lent, should_stop, on_note)
            self._stop()
            self._is_lent = True
        self._say("stopped")
        try:
            yield lambda: self._run_id is not None
        finally:
            with self._changed:
                self._is_lent = False
                self._changed.notify_all()

    def _wait(
        self, is_busy: Callable[[], bool], should_stop: Callable[[], bool], on_note: Note
    ) -> None:
        """With the lock held, until no run has the machine and nobody else is busy with it."""
        while self._run_id is not None or is_busy():
            on_note(
                f"run {self._run_id} has the machine: this goes on when it is over or paused"
                if self._run_id is not None
                else "others use the machine: this is next"
            )
            if should_stop():
                raise StopRequested("stopped on request")
            self._changed.wait(POLL_S)

    def show(self, server: Server) -> None:
        """Say what it has loaded by now."""
        wanted = server.wanted
        self._say("ready", base=wanted.model, backend=wanted.backend.backend,
                  adapters=sorted(server.adapters))  # fmt: skip

    def _claim(self, wanted: Wanted, should_stop: Callable[[], bool], on_note: Note) -> Server:
        with self._changed:
            self._wait(
                lambda: self._is_lent or (self._users > 0 and not self._fits(wanted)),
                should_stop, on_note,
            )  # fmt: skip
            is_new = not self._fits(wanted)
            if is_new:
                self._stop()
                place = db.current().home / PLACE
                self._server = self._starter.submit(Server, wanted, place).result()
                self._is_ready = False
            assert self._server
            server = self._server
            self._users += 1
        try:
            self._wait_until_ready(server, is_new, should_stop, on_note)
        except BaseException:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()
            raise
        return server

    def _fits(self, wanted: Wanted) -> bool:
        return self._server is not None and self._server.wanted == wanted

    def _wait_until_ready(
        self, server: Server, is_new: bool, should_stop: Callable[[], bool], on_note: Note
    ) -> None:
        """Who asked for it starts it; others wait. It may be evicted meanwhile."""
        on_note("" if self._is_ready else f"the engine is loading {server.wanted.model}")
        if is_new:
            self._say("starting", base=server.wanted.model, backend=server.wanted.backend.backend)
            try:
                server.wait_until_ready(lambda: self._server is not server)
            except StopRequested:
                raise Evicted("a run took the machine") from None
            except CodeLutraError as error:
                with self._changed:
                    is_mine = self._server is server
                    if is_mine:
                        self._stop()
                if not is_mine:
                    raise Evicted("a run took the machine") from error
                self._say("failed", reason=str(error))
                raise
            with self._changed:
                if self._server is not server:
                    raise Evicted("a run took the machine")
                self._is_ready = True
                self._changed.notify_all()
            self.show(server)
        with self._changed:
            while not self._is_ready:
                if self._server is not server:
                    raise Evicted("the engine was stopped while it was loading")
                if should_stop():
                    raise StopRequested("stopped on request")
                self._changed.wait(POLL_S)
        on_note("")

    def _stop(self) -> None:
        """With the lock held."""
        server, self._server = self._server, None
        self._is_ready = False
        if server:
            server.stop()
        self._changed.notify_all()

    def _watch_idle(self) -> None:
        while True:
            time.sleep(min(5.0, self._idle_s))
            with self._changed:
                is_idle = time.monotonic() - self._idle_since > self._idle_s
                if not (self._server and self._is_ready and not self._users and is_idle):
                    continue
                self._stop()
            self._say("stopped")

    def _say(self, state: str, **more: Any) -> None:
        with db.open_session() as session:
            engines.put(session, engine=Engine(state=state, **more))
