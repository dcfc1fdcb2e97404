"""Do people who look on slow a run down? `python -m benchmarks.viewers [--quick]`

While a starter run samples and trains, 200 visitors on the page (`benchmarks.visits`) look for
some seconds, then do not, in turn: what the run does in a second in neighbouring windows is
compared, so that neither what it does nor what else the machine does in these minutes counts.
The load itself is made on the same machine, at nice 19: its share is told beside the result.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from benchmarks.claims import Claim, finish, interval
from benchmarks.kill_lab import KillLab, submit, wait_until_up
from codelutra.config import RefineConfig
from storage import db, jobs, queries
from storage.run_status import RunStatus

VIEWERS = 200
LOAD_NICE = 19
WINDOW_S, SETTLE_S = 20.0, 2.0  # of a window, that much at its begin does not count
POLL_S = 0.25
PHASES = ("sample", "train")  # those that take minutes and every core
OVER = (RunStatus.COMPLETED, RunStatus.FAILED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller run")
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    options = parser.parse_args()
    config = RefineConfig.for_model(
        "starter",
        iterations=1,
        max_train=150 if options.quick else 400,
        max_heldout=10,
        sampling={"num_samples": 200, "extra_samples": 0},
        training={"epochs": 3},
    )
    with tempfile.TemporaryDirectory() as folder:
        lab = KillLab(Path(folder, "home"))
        try:
            wait_until_up(lab.port)
            unvisited = warm_up(lab, config)
            load = Load(lab.port, options.viewers)
            windows = list(in_turn(lab, load, submit(config)))
            met = load.end()
        finally:
            lab.close()
    slowdowns = slowdowns_of(windows)
    low, high = interval(slowdowns)
    print(f"{len(slowdowns)} pairs of windows: {low:+.1%} to {high:+.1%} with 95 % confidence")
    return finish(
        [
            Claim("run_slowdown", statistics.fmean(slowdowns), ceiling=0.05),
            Claim("failed_requests", met["failed"], ceiling=0),
        ],
        viewers=options.viewers,
        interval=[round(low, 4), round(high, 4)],
        slowdowns=[round(each, 3) for each in slowdowns],
        web_cores={
            "nobody": round(unvisited, 3),
            "paused": web_cores(windows, is_seen=False),
            "looked_at": web_cores(windows, is_seen=True),
        },
        visitors=met,
    )


@dataclass(frozen=True)
class Window:
    phase: str  # empty where it was not one alone, or too little was done to tell
    is_seen: bool
    rate: float  # tokens sampled, or training steps, a second
    web_cores: float


class Load:
    """The visitors. They pause until they are told to look."""

    def __init__(self, port: int, viewers: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.visits", str(port), str(viewers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.nice(LOAD_NICE),
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "all are here\n"

    def set_looking(self, is_looking: bool) -> None:
        assert self._process.stdin
        print("look" if is_looking else "pause", file=self._process.stdin, flush=True)

    def end(self) -> dict[str, Any]:
        output, _ = self._process.communicate("end\n")
        told: dict[str, Any] = json.loads(output)
        return told


def warm_up(lab: KillLab, config: RefineConfig) -> float:
    """A small run that nobody looks at. Returns the cores that the web process took."""
    run_id = submit(config.model_copy(update={"max_train": 20}))
    started, before = time.monotonic(), cpu_seconds(lab.web_pid)
    while not is_over(run_id):
        time.sleep(POLL_S)
    return (cpu_seconds(lab.web_pid) - before) / (time.monotonic() - started)


def in_turn(lab: KillLab, load: Load, run_id: int) -> Iterator[Window]:
    """Without visitors, with, with, without, and so on, until the run is over."""
    number = 0
    while not is_over(run_id):
        is_seen = number % 4 in (1, 2)
        load.set_looking(is_seen)
        window = watch(lab, run_id, is_seen)
        print(window, flush=True)
        yield window
        number += 1
    assert jobs.status(run_id) is RunStatus.COMPLETED, jobs.error(run_id)


def watch(lab: KillLab, run_id: int, is_seen: bool) -> Window:
    """What the run does in a window, from when something was finished to when the last was."""
    time.sleep(SETTLE_S)
    started, cpu = time.monotonic(), cpu_seconds(lab.web_pid)
    seen: list[tuple[float, str, int]] = []  # when what of which phase was done
    while time.monotonic() < started + WINDOW_S - SETTLE_S:
        with db.open_session() as session:
            row = queries.progress(session, run_id=run_id)
            tokens = queries.phase_tokens(session, run_id=run_id)
        if row and (not seen or row.updated_at.timestamp() != seen[-1][0]):
            drawn = tokens.get(row.iteration, {}).get("sample", 0)
            done = drawn if row.phase == "sample" else row.done
            seen.append((row.updated_at.timestamp(), row.phase, done))
        time.sleep(POLL_S)
    web = (cpu_seconds(lab.web_pid) - cpu) / (time.monotonic() - started)
    phases = {phase for _, phase, _ in seen}
    if len(phases) != 1 or len(seen) < 4 or not phases & set(PHASES):
        return Window("", is_seen, 0.0, web)
    (began, _, first), (ended, phase, last) = seen[1], seen[-1]  # the first one may be old
    return Window(phase, is_seen, (last - first) / (ended - began), web)


def slowdowns_of(windows: list[Window]) -> list[float]:
    """Of each two neighbours, one of which was looked at, that are in one phase."""
    found = []
    for one, other in pairwise(windows):
        if one.phase and one.phase == other.phase and one.is_seen != other.is_seen:
            seen, alone = (one, other) if one.is_seen else (other, one)
            found.append(alone.rate / seen.rate - 1)
    return found


def web_cores(windows: list[Window], *, is_seen: bool) -> float:
    return round(statistics.fmean(w.web_cores for w in windows if w.is_seen == is_seen), 3)


def is_over(run_id: int) -> bool:
    return jobs.status(run_id) in OVER


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    sys.exit(main())
