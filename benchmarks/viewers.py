"""Do people who look on slow a run down? `python -m benchmarks.viewers [--quick]`

200 visitors from loopback keep the page open, half on Refine and half on Trends, and poll what
the page's timers poll, as often as they do. Starter runs alternate, without them and with them.
The load itself is made on the same machine, at nice 19: its share is told beside the result.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
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
RAMP_S = 20.0  # they do not all come in one second
TABS = {"refine": "run-picker", "trends": "trend-picker"}  # and what their timers renew
ANSWER_S = 30.0  # without an answer for this long, a request has failed
KEPT_S = 4.0  # the server closes a connection on which nothing came for 5 s
OVER = (RunStatus.COMPLETED, RunStatus.FAILED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one pair of runs, smaller ones")
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--load", nargs=2, metavar=("PORT", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        return asyncio.run(look_on(int(options.load[0]), int(options.load[1])))
    rounds, tasks = (1, 60) if options.quick else (3, 120)
    config = RefineConfig.for_model(
        "starter", iterations=1, max_train=tasks, max_heldout=tasks, sampling={"extra_samples": 0}
    )
    alone: list[float] = []
    seen: list[float] = []
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        lab = KillLab(Path(folder, "home"))
        try:
            wait_until_up(lab.port)
            seconds_of_run(config.model_copy(update={"max_train": 6, "max_heldout": 6}))  # warm
            for number in range(rounds):
                alone.append(seconds_of_run(config))
                load = start_load(lab.port, options.viewers)
                started, before = time.monotonic(), cpu_seconds(lab.web_pid)
                seen.append(seconds_of_run(config))
                web_s, seconds = cpu_seconds(lab.web_pid) - before, time.monotonic() - started
                told.append(end_load(load) | {"web_cores": round(web_s / seconds, 3)})
                print(f"round {number + 1}: {alone[-1]:.1f} s alone, {seen[-1]:.1f} s looked at")
                print(f"  {told[-1]}", flush=True)
        finally:
            lab.close()
    slowdown = statistics.median(seen) / statistics.median(alone) - 1
    failed = sum(each["failed"] for each in told)
    return finish(
        [
            Claim("run_slowdown", slowdown, ceiling=0.05),
            Claim("failed_requests", failed, ceiling=0),
        ],
        viewers=options.viewers,
        alone_s=alone,
        looked_at_s=seen,
        load=told,
    )


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
    polls: int = 0  # that have had an answer
    failures: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Event:
    """One of the page's, as a browser knows it."""

    number: int
    trigger: int
    inputs: list[Any]  # None for a gr.State, which the server keeps
    every_s: float


async def look_on(port: int, viewers: int) -> int:
    """The load: visitors until a line comes in; then one JSON object about them."""
    events = page_events(port)
    tally = Tally()
    waiting = asyncio.get_running_loop()
    tabs = list(TABS)
    tasks = [
        asyncio.create_task(visit(port, number, tabs[number % 2], events, tally, viewers))
        for number in range(viewers)
    ]
    polls = sum(len(events[""]) + len(events[tabs[number % 2]]) for number in range(viewers))
    while tally.polls < polls:  # each has had its first answer, which is the whole page
        await asyncio.sleep(0.5)
    tally.waits.clear()
    tally.ok = 0
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
        "per_second": round(tally.ok / seconds, 1),
        "failed": tally.failures.total(),
        "failures": dict(tally.failures.most_common(3)),
        "median_ms": round(1000 * statistics.median(waits), 1),
        "p95_ms": round(1000 * waits[int(0.95 * (len(waits) - 1))], 1),
        "load_cores": round((time.process_time() - cpu) / seconds, 3),
    }
    print(json.dumps(told), flush=True)
    return 0


def page_events(port: int) -> dict[str, list[Event]]:
    """What the page's timers ask, by tab, and '' for what they ask on every tab."""
    with urlopen(f"http://127.0.0.1:{port}/config") as answer:
        config = json.load(answer)
    parts = {each["id"]: each for each in config["components"]}
    found: dict[str, list[Event]] = {"": [], **{tab: [] for tab in TABS}}
    for asked in config["dependencies"]:
        for target, what in asked["targets"]:
            timer = parts.get(target, {}).get("props", {})
            first = parts[asked["outputs"][0]]["props"].get("elem_id") if asked["outputs"] else ""
            tab = next((tab for tab, picker in TABS.items() if picker == first), "")
            if what == "tick" and (tab or timer.get("active")):
                values = [parts[one]["props"].get("value") for one in asked["inputs"]]
                found[tab].append(Event(asked["id"], target, values, float(timer["value"])))
    assert all(found.values()), "the page has changed: which timers are whose?"
    return found


async def visit(
    port: int, number: int, tab: str, events: dict[str, list[Event]], tally: Tally, visitors: int
) -> None:
    """One open page: its heartbeat, and each of its timers on a connection of its own."""
    chance = random.Random(number)
    await asyncio.sleep(RAMP_S * number / visitors)
    session = f"viewer{number}"
    _, writer = await asyncio.open_connection("127.0.0.1", port)  # open for as long as the page is
    writer.write(f"GET /gradio_api/heartbeat/{session} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
    try:
        polls = [poll(port, session, event, tally, chance) for event in events[""] + events[tab]]
        await asyncio.gather(*polls)
    finally:
        writer.close()


async def poll(port: int, session: str, event: Event, tally: Tally, chance: random.Random) -> None:
    """As gr.Timer does: a tick is left out while the answer to the one before is awaited."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    values = list(event.inputs)
    is_first = True
    await asyncio.sleep(chance.uniform(0, event.every_s))
    while True:
        if event.every_s > KEPT_S:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        started = time.monotonic()
        body = json.dumps(
            {
                "data": values,
                "event_data": None,
                "fn_index": event.number,
                "trigger_id": event.trigger,
                "session_hash": session,
            }
        ).encode()
        head = "POST /gradio_api/run/predict HTTP/1.1\r\nHost: lab\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            status, answer = await asyncio.wait_for(read_answer(reader), ANSWER_S)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            tally.failures[type(error).__name__] += 1
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        took = time.monotonic() - started
        if status == 200:
            tally.ok, tally.polls = tally.ok + 1, tally.polls + is_first
            is_first = False
            tally.waits.append(took)
        else:
            tally.failures[f"{status} {answer[:200]!r}"] += 1
        await asyncio.sleep(max(0.0, event.every_s - took % event.every_s))


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
    return int(lines[0].split()[1]), await reader.readexactly(length)


if __name__ == "__main__":
    sys.exit(main())
