"""Do people who look on slow a run down? `python -m benchmarks.viewers [--quick]`

200 visitors from loopback keep the page open, half on Refine and half on Trends, and ask what the
page asks, as often as it does. Starter runs alternate, without them and with them.
The load itself is made on the same machine, at nice 19: its share is told beside the result.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

import psutil

from benchmarks.claims import Claim, finish
from benchmarks.kill_lab import KillLab, submit, wait_until_up
from codelutra.config import RefineConfig
from storage import db, jobs, queries
from storage.run_status import RunStatus

VIEWERS = 200
LOAD_NICE = 19
PHASES = ("sample", "execute", "pair", "train", "evaluate")
RAMP_S = 40.0  # they do not all come in one second: Gradio prepares a session each
TABS = 2  # of the page, that ask by themselves
REFINE_PARTS = ("run-panel", "run-queue", "run-programs", "run-log")
VERSION = re.compile('data-version="(.*?)"')
ASKS = re.compile('data-ask="(.*?)" data-mark="(.*?)"')
KEPT_S = 4.0  # the server closes a connection on which nothing came for 5 s
ANSWER_S = 30.0  # without an answer for this long, a request has failed
OVER = (RunStatus.COMPLETED, RunStatus.FAILED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one pair of runs, smaller ones")
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--load", nargs=2, metavar=("PORT", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        return asyncio.run(look_on(int(options.load[0]), int(options.load[1])))
    rounds, tasks = (1, 60) if options.quick else (5, 120)
    config = RefineConfig.for_model(
        "starter", iterations=1, max_train=tasks, max_heldout=tasks, sampling={"extra_samples": 0}
    )
    alone: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        lab = KillLab(Path(folder, "home"))
        try:
            wait_until_up(lab.port)
            seconds_of_run(config.model_copy(update={"max_train": 6, "max_heldout": 6}))  # warm
            for number in range(rounds):
                for viewers in (0, options.viewers) if number % 2 == 0 else (options.viewers, 0):
                    (seen if viewers else alone).append(measured(lab, config, viewers))
                print(f"round {number + 1}: alone {alone[-1]}\n  looked at {seen[-1]}", flush=True)
        finally:
            lab.close()
    ratios = [with_["run_s"] / without["run_s"] for with_, without in zip(seen, alone, strict=True)]
    return finish(
        [
            Claim("run_slowdown", statistics.median(ratios) - 1, ceiling=0.05),
            Claim("failed_requests", sum(each["failed"] for each in seen), ceiling=0),
        ],
        viewers=options.viewers,
        slowdowns=[round(ratio - 1, 3) for ratio in ratios],
        alone=alone,
        looked_at=seen,
    )


def measured(lab: KillLab, config: RefineConfig, viewers: int) -> dict[str, Any]:
    """A run's seconds, the cores that the web process took meanwhile, and what visitors met."""
    load = start_load(lab.port, viewers) if viewers else None
    started, before = time.monotonic(), cpu_seconds(lab.web_pid)
    run_s = seconds_of_run(config)
    web_s, seconds = cpu_seconds(lab.web_pid) - before, time.monotonic() - started
    told = {"run_s": round(run_s, 1), "web_cores": round(web_s / seconds, 3)}
    return told | (end_load(load) if load else {})


def seconds_of_run(config: RefineConfig) -> float:
    """Of a run's phases, added up."""
    run_id = submit(config)
    while (status := jobs.status(run_id)) not in OVER:
        time.sleep(1)
    assert status is RunStatus.COMPLETED, jobs.error(run_id)
    with db.open_session() as session:
        found = queries.phase_seconds(session, run_id=run_id)
    return sum(seconds.get(phase, 0.0) for seconds in found.values() for phase in PHASES)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def start_load(port: int, viewers: int) -> "subprocess.Popen[str]":
    load = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.viewers", "--load", str(port), str(viewers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.nice(LOAD_NICE),
    )
    assert load.stdout
    assert load.stdout.readline() == "all are here\n"
    return load


def end_load(load: "subprocess.Popen[str]") -> dict[str, Any]:
    output, _ = load.communicate("end\n")
    told: dict[str, Any] = json.loads(output)
    return told


@dataclass
class Tally:
    ok: int = 0
    opened: int = 0
    renewed: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)


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
    """The load: visitors until a line comes in; then one JSON object about them."""
    events = page_events(port)
    tally = Tally()
    waiting = asyncio.get_running_loop()
    tasks = [
        asyncio.create_task(Visit(port, number, events, tally).stay(RAMP_S * number / viewers))
        for number in range(viewers)
    ]
    while tally.opened < viewers:
        await asyncio.sleep(0.5)
    tally.waits.clear()
    tally.ok = tally.renewed = 0
    started, cpu = time.monotonic(), time.process_time()
    print("all are here", flush=True)
    await waiting.run_in_executor(None, sys.stdin.readline)
    seconds = time.monotonic() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    waits = sorted(tally.waits) or [0.0]
    told = {
        "requests": tally.ok,
        "renewals": tally.renewed,
        "per_second": round(tally.ok / seconds, 1),
        "failed": tally.failures.total(),
        "failures": dict(tally.failures.most_common(3)),
        "median_ms": round(1000 * statistics.median(waits), 1),
        "p95_ms": round(1000 * waits[int(0.95 * (len(waits) - 1))], 1),
        "load_cores": round((time.process_time() - cpu) / seconds, 3),
    }
    print(json.dumps(told), flush=True)
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

    def __init__(self, port: int, number: int, events: Sequence[Event], tally: Tally) -> None:
        self.port, self.tally = port, tally
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
                await asyncio.sleep(await self._look())
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
            self.have[name] = VERSION.findall(text)[0]
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
            if "tab=refine" in self.ask:
                self.have |= dict.fromkeys(REFINE_PARTS, "none")

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
            status, answer = await asyncio.wait_for(read_answer(reader), ANSWER_S)
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
    sys.exit(main())
