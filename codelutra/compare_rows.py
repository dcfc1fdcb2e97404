"""A comparison kept in the database: what the worker does of one that a page asked for.

It answers column by column from the engine, writes down what is said as it is said, and runs the
programs. When nobody looks any more it stops; when a run takes the machine it waits.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from time import monotonic
from typing import Any

from codelutra.answering import (
    Told,
    load,
    model_of,
    prompt_of,
    request_of,
    stream,
    wanted_of,
)
from codelutra.config import SandboxConfig
from codelutra.engine_room import EngineRoom, Evicted
from codelutra.errors import CodeLutraError, StopRequested
from codelutra.model_states import Proof, state_of
from codelutra.probing import read_by_all
from codelutra.remote import client_of
from codelutra.serving.client import Client
from codelutra.serving.server import Server, Wanted
from codelutra.trying import task_of, try_answers
from storage import comparisons, db
from storage.compare_models import Answer, Comparison

STOP_POLL_S = 0.4


def run_comparison(room: EngineRoom, comparison_id: int) -> None:
    """Done again after a crash, it goes on with the answers that are missing."""
    with db.open_session() as session:
        comparison = comparisons.get(session, comparison_id=comparison_id)
    if comparison is None:
        return
    if comparison.wants_probe:
        _Probing(room, comparison).run()
    elif comparison.finished_at is None:
        _Comparing(room, comparison).run()


class _Errand:
    """What comparing and probing share: the rows, and whether anybody still waits for them."""

    def __init__(self, room: EngineRoom, comparison: Comparison) -> None:
        assert comparison.id is not None
        self.room, self.row, self.id = room, comparison, comparison.id
        self.states = [state_of(column) for column in comparison.columns]
        self._note, self._polled_at, self._is_unwanted = "", 0.0, False

    def should_stop(self) -> bool:
        if not self._is_unwanted and monotonic() - self._polled_at >= STOP_POLL_S:
            with db.open_session() as session:
                self._is_unwanted = comparisons.is_unwanted(session, comparison_id=self.id)
            self._polled_at = monotonic()
        return self._is_unwanted

    def note(self, text: str) -> None:
        if text != self._note:
            with db.open_session() as session:
                comparisons.set_note(session, comparison_id=self.id, note=text)
            self._note = text

    def answers(self) -> Sequence[Answer]:
        with db.open_session() as session:
            return comparisons.answers(session, comparison_id=self.id)

    def asked(self, server: Server, place: int) -> tuple[Client, str, str, Proof]:
        """The server, the model, the prompt and the proof of a column."""
        state = self.states[place]
        proof = load(server, state)
        return server.client, model_of(proof), prompt_of(state, self.row.prompt), proof

    def with_engine(self, wanted: Wanted, work: Callable[[Server], None]) -> None:
        """Again from the start of `work` whenever a run took the machine meanwhile."""
        while True:
            try:
                with self.room.lease(wanted, self.should_stop, self.note) as server:
                    work(server)
                return
            except Evicted:
                self.note("a run took the machine: this goes on when it is over or paused")


class _Comparing(_Errand):
    def __init__(self, room: EngineRoom, comparison: Comparison) -> None:
        super().__init__(room, comparison)
        self.proofs = comparison.proofs or [{} for _ in self.states]
        self.written: dict[tuple[int, int], dict[str, Any]] = {}

    def run(self) -> None:
        try:
            remote = [place for place, state in enumerate(self.states) if state.kind == "remote"]
            elsewhere = {
                place: client_of(self.states[place], self.row.prompt)
                for place in self._open(remote)
            }
            self._answer_by(elsewhere)
            for wanted, places in self._wanted().items():
                self._answer_from_engine(wanted, places)
            self._run_programs()
        except StopRequested:
            self._end_open("stopped")
        with db.open_session() as session:
            comparisons.finish(session, comparison_id=self.id)

    def _wanted(self) -> dict[Wanted, list[int]]:
        try:
            return wanted_of(self.states)
        except OSError as error:
            self._end_open("failed", error=f"an adapter cannot be read: {error}")
            return {}

    def _answer_from_engine(self, wanted: Wanted, places: list[int]) -> None:
        def work(server: Server) -> None:
            sources = {}
            for place in self._open(places):
                try:
                    sources[place] = self.asked(server, place)
                except CodeLutraError as error:
                    if not server.client.is_there():
                        raise
                    self._end_open("failed", [place], error=str(error))
            self.room.show(server)
            self._answer_by(sources)
            if any(self._open([place]) for place in sources) and not server.client.is_there():
                raise CodeLutraError("the engine is gone")

        try:
            self.with_engine(wanted, work)
        except StopRequested:
            raise
        except CodeLutraError as error:
            self._end_open("failed", places, error=str(error))

    def _answer_by(self, sources: dict[int, tuple[Client, str, str, Proof]]) -> None:
        """An error ends its own column, unless it is our engine that has gone: then all wait."""
        if not sources:
            return
        self.written.clear()
        for told in stream(sources, request_of(self.row.settings), self.should_stop):
            self._write(told)
        for place, each in told.items():
            is_ours = self.states[place].kind != "remote"
            if each.error and (not is_ours or sources[place][0].is_there()):
                self._end_open("failed", [place], error=each.error)

    def _write(self, told: dict[int, Told]) -> None:
        """What is new since the last time, and the proofs."""
        rows = {}
        for place, each in told.items():
            for index in range(self.row.settings["num_samples"]):
                ending = each.endings.get(index, "")
                row = {
                    "text": each.texts.get(index, ""),
                    "ending": ending,
                    "state": "done" if ending else "answering",
                }
                if self.written.get((place, index)) != row:
                    self.written[place, index] = rows[place, index] = row
            self.proofs[place] = asdict(each.proof)
        if rows:
            with db.open_session() as session:
                comparisons.set_answers(session, comparison_id=self.id, rows=rows)
                comparisons.set_proofs(session, comparison_id=self.id, proofs=self.proofs)

    def _open(self, places: Sequence[int]) -> list[int]:
        """Those whose answers are not all there."""
        found = {a.place for a in self.answers() if a.state in comparisons.OPEN}
        return [place for place in places if place in found]

    def _end_open(self, state: str, places: Sequence[int] | None = None, error: str = "") -> None:
        rows = {
            (each.place, each.index): {"state": state, "error": error}
            for each in self.answers()
            if each.state in comparisons.OPEN and (places is None or each.place in places)
        }
        with db.open_session() as session:
            comparisons.set_answers(session, comparison_id=self.id, rows=rows)

    def _run_programs(self) -> None:
        answers = [a for a in self.answers() if a.state == "done" and a.result is None]
        if not answers or not self.row.task["kind"]:
            return
        self.note("running the programs")
        task = task_of(self.row.task)
        texts = [answer.text for answer in answers]
        results = try_answers(task, texts, SandboxConfig(), self.should_stop)
        rows = {
            (answer.place, answer.index): {"result": result}
            for answer, result in zip(answers, results, strict=True)
        }
        with db.open_session() as session:
            comparisons.set_answers(session, comparison_id=self.id, rows=rows)


class _Probing(_Errand):
    """What the columns of one base make of the first answer, token by token."""

    def run(self) -> None:
        try:
            found = self._find()
        except CodeLutraError as error:
            found = {"error": str(error)}
        with db.open_session() as session:
            comparisons.set_probe(session, comparison_id=self.id, probe=found)

    def _find(self) -> dict[str, Any]:
        shared = [(w, places) for w, places in wanted_of(self.states).items() if len(places) > 1]
        if not shared:
            raise CodeLutraError("no two columns have the same base: nothing to set side by side")
        wanted, places = shared[0]
        text = next((a.text for a in self.answers() if a.place in places and a.text), "")
        if not text:
            raise CodeLutraError("their answers are empty: there is nothing to read")
        found: dict[str, Any] = {"places": places}

        def work(server: Server) -> None:
            asked = [self.asked(server, place) for place in places]
            models = [model for _, model, _, _ in asked]
            found.update(read_by_all(server.client, models, asked[0][2], text))

        self.with_engine(wanted, work)
        return found
