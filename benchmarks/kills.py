"""What does `kill -9` cost? `python -m benchmarks.kills [--quick] [--victim V] [--database D]`

Small starter runs with the real app. One is left alone; in the others the victim is killed at
random moments: the web, the worker, the sampling child, a sandbox, the training child, Postgres.
Last, the disk fills up. Every run must end as the undisturbed one did: the same samples with the
same texts, verdicts, pairs, reviews, scores, and adapters with the same sha256.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.claims import Claim, finish
from benchmarks.disk_full import DISK, disk_runs
from benchmarks.kill_lab import (
    KillLab,
    Rows,
    doubled,
    insist,
    missing,
    review_and_resume,
    rows_of,
    submit,
)
from benchmarks.private_postgres import PrivatePostgres, private_postgres, programs
from codelutra.config import RefineConfig
from storage import jobs
from storage.run_status import RunStatus

# Kills in one run: a phase whose child dies three times is given up, so of these fewer.
KILLS = {"web": 4, "worker": 4, "sandbox": 4, "postgres": 4, "sampling": 2, "training": 2}
LONGEST_S = 600.0  # of one run
CHANCE = random.Random(0)
LOOK_S = 0.2  # the looking must cost the run little
OVER = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)
# Several chunks of each drawing, two iterations of which the second trains on from the first.
SMALL = RefineConfig.for_model(
    "starter",
    iterations=2,
    max_train=12,
    max_heldout=12,
    pause_before_training=True,
    sampling={"num_samples": 6, "batch_size": 24, "max_new_tokens": 96, "extra_samples": 0},
    evaluation={"batch_size": 6, "max_new_tokens": 96},
    training={"checkpoint_s": 1},
)


@dataclass
class Story:
    """How a run went. `seen_s`: seconds for which each possible victim lived."""

    run_id: int
    status: RunStatus | None = None
    kills: int = 0
    seconds: float = 0.0
    seen_s: Counter[str] = field(default_factory=Counter)

    @property
    def end(self) -> str:
        why = f": {jobs.error(self.run_id)}" if self.status is RunStatus.FAILED else ""
        return f"{self.status or 'never ended'}{why}"


def main() -> int:
    options = _parse()
    logging.getLogger("dbos").setLevel(logging.ERROR)
    wanted = 3 if options.quick else 20
    told: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for database in options.database or ("sqlite", "postgres"):
            if database == "postgres" and not programs():
                print("no PostgreSQL is installed here: its part is left out")
                continue
            place = Path(folder, database)
            place.mkdir()
            if database == "sqlite":
                told += matrix(place, options.victim, wanted, None)
                continue
            with private_postgres() as server:
                told += matrix(place, options.victim, wanted, server)
    claims = [
        Claim(name, sum(int(str(one[name])) for one in told), ceiling=0)
        for name in ("lost_rows", "extra_rows", "doubled_rows", "unfinished_runs")
    ]
    # What could not be tried (no small disk, no PostgreSQL) must not read as survived.
    left_out = sum(wanted - int(str(one["kills"])) for one in told) if told else wanted
    claims.append(Claim("kills_left_out", left_out, ceiling=0))
    return finish(claims, matrix=told)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 kills a victim instead of 20")
    parser.add_argument("--victim", action="append", choices=[*KILLS, DISK])
    parser.add_argument("--database", action="append", choices=["sqlite", "postgres"])
    return parser.parse_args()


def matrix(
    place: Path, victims: list[str] | None, wanted: int, server: PrivatePostgres | None
) -> list[dict[str, object]]:
    """One line a victim: what was lost, doubled or left undone in runs with `wanted` kills."""
    database = "postgres" if server else "sqlite"
    lab = KillLab(place / "home", server)
    told = []
    try:
        alone = watch(lab, submit(SMALL))
        undisturbed = rows_of(alone.run_id)
        told_of = f"{alone.end} in {alone.seconds:.0f} s: {_sizes(undisturbed)}"
        print(f"{database}: undisturbed {told_of}", flush=True)
        for victim in victims or list(KILLS):
            if victim == DISK or (victim == "postgres" and not server):
                continue
            told.append(disturb(lab, victim, wanted, alone, undisturbed) | {"database": database})
            print(f"{database:<9} {told[-1]}", flush=True)
    finally:
        lab.close()
    if not server and DISK in (victims or [DISK]):
        told.append(disk_runs(place / "disk", SMALL, undisturbed, moments=wanted))
        print(f"{database:<9} {told[-1]}", flush=True)
    return told


def disturb(
    lab: KillLab, victim: str, wanted: int, alone: Story, undisturbed: Rows
) -> dict[str, object]:
    rng = random.Random(f"{victim} {wanted}")
    found: Counter[str] = Counter(lost_rows=0, extra_rows=0, doubled_rows=0, unfinished_runs=0)
    kills = runs = 0
    lifetime = alone.seen_s[victim]
    while kills < wanted:
        many = min(KILLS[victim], wanted - kills)
        # A moment in the life of a victim, counted from when it is first seen.
        plan = [(victim, rng.uniform(0, lifetime / many)) for _ in range(many)]
        story = watch(lab, insist(lambda: submit(SMALL)), plan, rng)
        rows = rows_of(story.run_id)
        kills, runs = kills + story.kills, runs + 1
        found["lost_rows"] += missing(undisturbed, rows)
        found["extra_rows"] += missing(rows, undisturbed)
        found["doubled_rows"] += doubled(rows)
        found["unfinished_runs"] += story.status is not RunStatus.COMPLETED
        print(f"  {victim}: {story.kills} kills, {story.end} in {story.seconds:.0f} s", flush=True)
        if story.kills < many:  # it was over sooner than the undisturbed one
            lifetime /= 2
        assert lifetime > LOOK_S, f"no {victim} was found to be killed"
    return {"victim": victim, "kills": kills, "runs": runs, **found}


def watch(
    lab: KillLab, run_id: int, plan: Sequence[tuple[str, float]] = (), rng: random.Random = CHANCE
) -> Story:
    """Until the run's end: kill as planned, each so many seconds after such a one was first seen,
    and decide on the pairs where the run waits for that."""
    story, left = Story(run_id), list(plan)
    started = looked = time.monotonic()
    since: float | None = None
    while time.monotonic() - started < LONGEST_S:
        time.sleep(LOOK_S)
        now = time.monotonic()
        if left and lab.found(left[0][0]):
            since = now if since is None else since
            if now - since >= left[0][1] and lab.kill(left[0][0], rng):
                story.kills, since = story.kills + 1, None
                left.pop(0)
        elif not plan:
            story.seen_s.update(dict.fromkeys(lab.kinds(), now - looked))
        looked = now
        status = insist(lambda: jobs.status(run_id))
        if status is RunStatus.PAUSED:
            insist(lambda: review_and_resume(run_id))
        if status in OVER:
            story.status = status
            break
    story.seconds = time.monotonic() - started
    return story


def _sizes(rows: Rows) -> str:
    return ", ".join(f"{found.total()} {table}" for table, found in rows.items())


if __name__ == "__main__":
    sys.exit(main())
