"""Do people who look on slow a run down? `python -m benchmarks.viewers [--quick]`

The same starter run is made again and again, its sampling and its training cut into blocks of work.
In one run 200 visitors (`benchmarks.visits`) look at the page during every second block, in the
next during the others, so that the same work is timed with and without them; and of two neighbours
one is timed with them first, the other without, so that what the machine does beside cancels out.
The load itself is made on the same machine, at nice 19: its share is told beside the result.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.claims import Claim, finish, interval
from benchmarks.kill_lab import KillLab, submit, wait_until_up
from codelutra.config import RefineConfig
from storage import db, jobs, queries
from storage.run_status import RunStatus

VIEWERS = 200
LOAD_NICE = 19
PHASES = ("sample", "train")  # those that take minutes and every core
BLOCKS = 16  # of a phase, an even number
SETTLING = 0.25  # of a block, that much at its begin does not count
POLL_S = 0.25
OVER = (RunStatus.COMPLETED, RunStatus.FAILED)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller run, twice")
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    options = parser.parse_args()
    config = RefineConfig.for_model(
        "starter",
        iterations=1,
        max_train=100 if options.quick else 300,
        max_heldout=10,
        sampling={"num_samples": 200, "extra_samples": 0},
        training={"epochs": 3},
    )
    slowdowns: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        lab = KillLab(Path(folder, "home"))
        try:
            wait_until_up(lab.port)
            web = WebProcess(lab.web_pid)
            warm_up(web, config)
            load = Load(lab.port, options.viewers)
            for _ in range(1 if options.quick else 2):
                times = [block_times(web, load, submit(config), turn) for turn in (0, 1)]
                found = slowdowns_of(*times)
                print([round(each, 3) for each in found], flush=True)
                slowdowns += found
            met = load.end()
        finally:
            lab.close()
    low, high = interval(slowdowns)
    print(f"{len(slowdowns)} pairs of blocks: {low:+.1%} to {high:+.1%} with 95 % confidence")
    return finish(
        [
            Claim("run_slowdown", statistics.fmean(slowdowns), ceiling=0.05),
            Claim("failed_requests", met["failed"], ceiling=0),
        ],
        viewers=options.viewers,
        interval=[round(low, 4), round(high, 4)],
        median=round(statistics.median(slowdowns), 4),
        web_cores=web.cores(),
        visitors=met,
    )


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
        self.is_looking = False

    def set_looking(self, is_looking: bool) -> None:
        if is_looking != self.is_looking:
            assert self._process.stdin
            print("look" if is_looking else "pause", file=self._process.stdin, flush=True)
        self.is_looking = is_looking

    def end(self) -> dict[str, Any]:
        output, _ = self._process.communicate("end\n")
        told: dict[str, Any] = json.loads(output)
        return told


class WebProcess:
    """What it costs, by whether somebody looks."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.begin()

    def begin(self) -> None:
        self._before = self._now()

    def count(self, state: str) -> None:
        """What was spent since it began, or was last counted, was spent in this state."""
        now = self._now()
        for place in (0, 1):
            self._spent[state][place] += now[place] - self._before[place]
        self._before = now

    def cores(self) -> dict[str, float]:
        return {state: round(cpu / wall, 3) for state, (cpu, wall) in self._spent.items()}

    def _now(self) -> tuple[float, float]:
        times = self._process.cpu_times()
        return times.user + times.system, time.monotonic()


@dataclass
class Course:
    """When how much of a phase was done."""

    at: list[float] = field(default_factory=list)  # seconds
    done: list[float] = field(default_factory=list)  # blocks

    def add(self, at: float, done: float) -> None:
        if not self.done or done > self.done[-1]:
            self.at.append(at)
            self.done.append(done)

    def seconds(self, block: int) -> float | None:
        """Of what counts of a block; None where it was not seen whole."""
        began, ended = block + SETTLING, block + 1
        if not self.done or self.done[0] > began or self.done[-1] < ended:
            return None
        return float(np.diff(np.interp([began, ended], self.done, self.at))[0])


def warm_up(web: WebProcess, config: RefineConfig) -> None:
    """A small run that nobody looks at, without a session of a visitor."""
    run_id = submit(config.model_copy(update={"max_train": 20}))
    web.begin()
    while not is_over(run_id):
        time.sleep(POLL_S)
    web.count("nobody")


def block_times(
    web: WebProcess, load: Load, run_id: int, turn: int
) -> dict[tuple[str, int], float]:
    """Seconds by phase and block. Visitors look in even blocks, or in odd ones when `turn` is 1."""
    courses = {phase: Course() for phase in PHASES}
    web.begin()
    while not is_over(run_id):
        time.sleep(POLL_S)
        web.count("looked_at" if load.is_looking else "paused")
        with db.open_session() as session:
            row = queries.progress(session, run_id=run_id)
        if row and row.phase in courses and row.total:
            done = BLOCKS * row.done / row.total
            courses[row.phase].add(row.updated_at.timestamp(), done)
            load.set_looking(int(done) % 2 == turn)
        else:
            load.set_looking(False)
    assert jobs.status(run_id) is RunStatus.COMPLETED, jobs.error(run_id)
    return {
        (phase, block): seconds
        for phase, course in courses.items()
        for block in range(BLOCKS)
        if (seconds := course.seconds(block)) is not None
    }


def slowdowns_of(
    even: dict[tuple[str, int], float], odd: dict[tuple[str, int], float]
) -> list[float]:
    """Of each two neighbouring blocks; visitors looked in the even or in the odd ones."""
    found = []
    for phase in PHASES:
        for block in range(0, BLOCKS, 2):
            one, two = (phase, block), (phase, block + 1)
            if {one, two} <= even.keys() & odd.keys():
                found.append(math.sqrt(even[one] / odd[one] * odd[two] / even[two]) - 1)
    return found


def is_over(run_id: int) -> bool:
    return jobs.status(run_id) in OVER


if __name__ == "__main__":
    sys.exit(main())
