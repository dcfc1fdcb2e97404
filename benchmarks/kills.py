"""Does a run survive `kill -9`? `python -m benchmarks.kills [--quick]`

One small run of the real loop is left alone; the same run is then started again and its worker
killed ten times at random moments, phase children and all. Both must end with the same rows.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlmodel import col, select

from benchmarks.claims import Claim, finish
from codelutra.config import RefineConfig
from storage import db, jobs
from storage.models import Iteration, Run, Sample
from storage.pair_models import PreferencePair

# Interrupted: its worker is dead, and the next one has not come up yet.
UNDER_WAY = (jobs.RunStatus.QUEUED, jobs.RunStatus.RUNNING, jobs.RunStatus.INTERRUPTED)
Rows = dict[str, Counter[tuple[object, ...]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one iteration, five kills")
    options = parser.parse_args()
    kills = 5 if options.quick else 10
    config = RefineConfig.for_model(
        "starter", iterations=1 if options.quick else 2, max_train=60, max_heldout=60
    )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["CODELUTRA_HOME"] = folder
        os.environ.pop("DATABASE_URL", None)
        jobs.prepare(home)
        started = time.monotonic()
        undisturbed, _ = _refine(home, config, [])
        duration = time.monotonic() - started
        rng = random.Random(0)
        delays = [rng.uniform(1, max(4, duration / 4)) for _ in range(kills)]
        disturbed, status = _refine(home, config, delays)
    print(f"undisturbed: {duration:.0f} s; then killed after {[round(d, 1) for d in delays]} s")
    for table in undisturbed:
        print(
            f"{table:<10} {undisturbed[table].total():>6} rows, {disturbed[table].total()} killed"
        )
    return finish(
        [
            Claim("lost_rows", sum(_missing(undisturbed, disturbed).values()), ceiling=0),
            Claim("extra_rows", sum(_missing(disturbed, undisturbed).values()), ceiling=0),
            Claim("doubled_rows", _doubled(disturbed), ceiling=0),
            Claim("unfinished_runs", int(status != jobs.RunStatus.COMPLETED), ceiling=0),
        ]
    )


def _refine(home: Path, config: RefineConfig, delays: list[float]) -> tuple[Rows, jobs.RunStatus]:
    """Submit, kill after each delay, and let the run end."""
    with db.open_session() as session:
        run = jobs.submit(
            session,
            config=config.model_dump(mode="json"),
            name="kills",
            num_train=config.max_train,
            num_heldout=config.max_heldout,
        )
        run_id = run.id
    assert run_id is not None
    for delay in delays:
        worker = _worker()
        time.sleep(delay)
        worker.kill()
        worker.wait()
        if jobs.status(run_id) is jobs.RunStatus.RUNNING:
            raise AssertionError("a run of a dead worker shows as running")
    worker = _worker()
    deadline = time.monotonic() + 900
    while jobs.status(run_id) in UNDER_WAY:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    status = jobs.status(run_id)
    worker.terminate()
    worker.wait()
    return _rows(run_id), status


def _worker() -> "subprocess.Popen[bytes]":
    root = Path(__file__).parents[1]
    return subprocess.Popen([sys.executable, "-m", "codelutra", "worker"], cwd=root)


def _rows(run_id: int) -> Rows:
    """What identifies the rows of a run, table by table, counted."""
    with db.open_session() as session:
        mine = select(Iteration.number, Iteration.pass_at_1 != None).where(  # noqa: E711
            Iteration.run_id == run_id
        )
        samples = (
            select(Iteration.number, Sample.split, Sample.task_id, Sample.index)
            .join(Iteration, col(Iteration.id) == Sample.iteration_id)
            .where(Iteration.run_id == run_id, col(Sample.verdict) != None)  # noqa: E711
        )
        pairs = (
            select(
                Iteration.number,
                PreferencePair.task_id,
                PreferencePair.chosen_index,
                PreferencePair.rejected_index,
            )
            .join(Iteration, col(Iteration.id) == PreferencePair.iteration_id)
            .where(Iteration.run_id == run_id)
        )
        assert session.get(Run, run_id)
        return {
            "iterations": Counter(tuple(row) for row in session.exec(mine)),
            "samples": Counter(tuple(row) for row in session.exec(samples)),
            "pairs": Counter(tuple(row) for row in session.exec(pairs)),
        }


def _missing(whole: Rows, part: Rows) -> dict[str, int]:
    return {table: (whole[table] - part[table]).total() for table in whole}


def _doubled(rows: Rows) -> int:
    return sum(count - 1 for table in rows.values() for count in table.values())


if __name__ == "__main__":
    sys.exit(main())
