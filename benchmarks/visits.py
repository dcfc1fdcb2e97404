"""Visitors of the page, as many as are asked for: the load of `benchmarks.viewers`.

A process of its own: `python -m benchmarks.visits PORT N`. It says when all are here, then takes
lines: `look`, `pause`, and `end`, for which it tells in one JSON object what they met. Half stay on
Refine, half on Trends; while they look they ask what the page asks, as often as it does.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

RAMP_S = 40.0  # they do not all come in one second: Gradio prepares a session each
TABS = 2  # of the page, that ask by themselves
PARTS = {  # that are news by themselves, by tab
    "refine": ("run-panel", "run-queue", "run-programs", "run-log"),
    "trends": ("trend-head", "trend-charts", "trend-table", "side-by-side", "training-note",
               "training-curves", "training-funnel"),
}  # fmt: skip
VERSION = re.compile('version(?:=|": )"(.*?)"')
ASKS = re.compile('data-ask="(.*?)" data-mark="(.*?)"')
KEPT_S = 4.0  # the server closes a connection on which nothing came for 5 s
ANSWER_S = 30.0  # without an answer for this long, a request has failed


class Clock:
    """Goes on only while the visitors look."""

    def __init__(self) -> None:
        self._looking, self._away = asyncio.Event(), asyncio.Event()
        self._since = self._looked = (0.0, 0.0)  # seconds, CPU seconds
        self.look()

    def look(self) -> None:
        self._looked = self.looked
        self._since = time.monotonic(), time.process_time()
        self._away.clear()
        self._looking.set()

    def pause(self) -> None:
        self._looked = self.looked
        self._looking.clear()
        self._away.set()

    @property
    def looked(self) -> tuple[float, float]:
        """Seconds in which they looked, and this process's CPU seconds in them."""
        if not self._looking.is_set():
            return self._looked
        seconds, cpu = self._looked
        since, cpu_since = self._since
        return seconds + time.monotonic() - since, cpu + time.process_time() - cpu_since

    def begin_anew(self) -> None:
        self._looked = 0.0, 0.0

    async def sleep(self, seconds: float) -> None:
        while seconds > 0:
            await self._looking.wait()
            started = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._away.wait()
            seconds -= time.monotonic() - started


@dataclass
class Tally:
    ok: int = 0
    opened: int = 0
    renewed: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    def begin_anew(self) -> None:
        """But for failures, of which none is forgotten."""
        self.ok = self.renewed = 0
        self.waits.clear()

    def in_figures(self, seconds: float, cpu_seconds: float) -> dict[str, Any]:
        waits = sorted(self.waits) or [0.0]
        return {
            "requests": self.ok,
            "renewals": self.renewed,
            "per_second": round(self.ok / seconds, 1),
            "failed": self.failures.total(),
            "failures": dict(self.failures.most_common(3)),
            "median_ms": round(1000 * statistics.median(waits), 1),
            "p95_ms": round(1000 * waits[int(0.95 * (len(waits) - 1))], 1),
            "load_cores": round(cpu_seconds / seconds, 3),
        }


@dataclass(frozen=True)
class Event:
    """One of the page's, as a browser knows it."""

    number: int
    trigger: int
    inputs: list[Any]  # None for a gr.State, which the server keeps

    def body(self, session: str, values: list[Any]) -> bytes:
        asked = {
            "data": values,
            "event_data": None,
            "fn_index": self.number,
            "trigger_id": self.trigger,
            "session_hash": session,
        }
        return json.dumps(asked).encode()


async def look_on(port: int, viewers: int) -> int:
    events = page_events(port)
    tally, clock = Tally(), Clock()
    tasks = [
        asyncio.create_task(
            Visit(port, number, events, tally, clock).stay(RAMP_S * number / viewers)
        )
        for number in range(viewers)
    ]
    while tally.opened < viewers:
        await asyncio.sleep(0.5)
    clock.pause()
    clock.begin_anew()
    tally.begin_anew()
    print("all are here", flush=True)
    loop = asyncio.get_running_loop()
    while (line := await loop.run_in_executor(None, sys.stdin.readline)) in ("look\n", "pause\n"):
        (clock.look if line == "look\n" else clock.pause)()
    looked = clock.looked
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(tally.in_figures(*looked)), flush=True)
    return 0


def page_events(port: int) -> list[Event]:
    """What renews the tabs, one each, as the page's configuration tells it."""
    with urlopen(f"http://127.0.0.1:{port}/config") as answer:
        config = json.load(answer)
    parts = {each["id"]: each for each in config["components"]}
    found = []
    for asked in config["dependencies"]:
        for target, what in asked["targets"]:
            if what == "renew":
                values = [parts[one]["props"].get("value") for one in asked["inputs"]]
                found.append(Event(asked["id"], target, values))
    assert len(found) == TABS, "the page has changed: what renews which tab?"
    return found


class Visit:
    """One open page, which asks as `pages/live.js` does."""

    def __init__(
        self, port: int, number: int, events: Sequence[Event], tally: Tally, clock: Clock
    ) -> None:
        self.port, self.tally, self.clock = port, tally, clock
        self.session = f"viewer{number}"
        self.event = events[number % len(events)]
        self.values = list(self.event.inputs)
        self.ask, self.mark = "", ""
        self.have: dict[str, str] = {}
        self.connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.used_at = 0.0

    async def stay(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        _, heart = await asyncio.open_connection("127.0.0.1", self.port)  # open as long as the page
        heart.write(self._head("GET", f"/gradio_api/heartbeat/{self.session}"))
        try:
            await self._renew()
            self.tally.opened += 1
            while True:
                await self.clock.sleep(await self._look())
        finally:
            heart.close()

    async def _look(self) -> float:
        """Seconds until the next."""
        have = " ".join(f"{name}:{version}" for name, version in self.have.items())
        query = urlencode({"page": self.session, "mark": self.mark, "have": have})
        told = await self._answer(self._head("GET", f"/live?{self.ask}&{query}"))
        if told is None:
            return 2.0
        for name, text in told["parts"].items():
            self.have[name] = VERSION.search(text)[1]
        if told["renew"]:
            self.tally.renewed += 1
            await self._renew()
        return float(told["wait_s"])

    async def _renew(self) -> None:
        """The event of Gradio that draws the tab."""
        body = self.event.body(self.session, self.values)
        told = await self._answer(self._head("POST", "/gradio_api/run/predict", body) + body)
        texts = [text for text in (told or {}).get("data", ()) if isinstance(text, str)]
        for ask, mark in ASKS.findall(unescape("".join(texts))):
            self.ask, self.mark = ask, mark
            self.values[0] = int(dict(parse_qsl(ask))["run"])  # the picker's, which is chosen then
        if not self.have:  # these components are there, with what comes first
            self.have = dict.fromkeys(("banner", "worker-state"), "none")
            tab = dict(parse_qsl(self.ask)).get("tab", "")
            self.have |= dict.fromkeys(PARTS.get(tab, ()), "none")

    def _head(self, method: str, path: str, body: bytes = b"") -> bytes:
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length if body else ''}\r\n".encode()
        )

    async def _answer(self, request: bytes) -> Any:
        """None where it failed."""
        started = time.monotonic()
        try:
            if self.connection and started - self.used_at > KEPT_S:
                self.connection[1].close()
                self.connection = None
            if self.connection is None:
                self.connection = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self.connection
            writer.write(request)
            async with asyncio.timeout(ANSWER_S):
                status, answer = await read_answer(reader)
            self.used_at = time.monotonic()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.tally.failures[type(error).__name__] += 1
            self.connection = None
            return None
        if status != 200:
            self.tally.failures[f"{status} {answer[:200]!r}"] += 1
            return None
        self.tally.ok += 1
        self.tally.waits.append(time.monotonic() - started)
        return json.loads(answer)


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
    return int(lines[0].split()[1]), await reader.readexactly(length)


if __name__ == "__main__":
    sys.exit(asyncio.run(look_on(int(sys.argv[1]), int(sys.argv[2]))))
