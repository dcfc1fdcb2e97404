"""Starter runs on a small disk of their own that fills up in the middle; see kills.py."""

import os
import random
import time
from collections import Counter
from pathlib import Path

from benchmarks.kill_lab import (
    KillLab,
    Rows,
    doubled,
    fill,
    is_sound,
    missing,
    review_and_resume,
    rows_of,
    small_disk,
    submit,
)
from codelutra.config import RefineConfig
from codelutra.disk_watch import VARIABLE
from storage import db, jobs, queries
from storage.run_status import RunStatus

DISK = "disk"
SIZE_MB, WATCHED_MB = 120, 60
FULL_S, LONGEST_S = 30.0, 600.0  # it stays full this long, unless the run has stopped before
STOPPED = (RunStatus.FAILED, RunStatus.PAUSED)


def disk_runs(
    folder: Path, config: RefineConfig, undisturbed: Rows, *, moments: int
) -> dict[str, object]:
    """Once with the watch on the disk, else without: then the disk is really full."""
    found: Counter[str] = Counter(lost_rows=0, extra_rows=0, doubled_rows=0, unfinished_runs=0)
    rng = random.Random(f"disk {moments}")
    told: list[str] = []
    before = os.environ.get(VARIABLE)
    try:
        for number in range(moments):
            is_watched = number == 0
            os.environ[VARIABLE] = str(WATCHED_MB if is_watched else 0)
            with small_disk(folder.with_name(f"{folder.name}-{number}"), SIZE_MB) as home:
                lab = KillLab(home)
                try:
                    reason, status, rows = _fill_and_mend(lab, config, rng, is_watched)
                finally:
                    lab.close()
                is_damaged = not is_sound(home)
            told.append(reason)
            print(f"  disk: {reason or 'not noticed'}; then {status}", flush=True)
            found["lost_rows"] += missing(undisturbed, rows)
            found["extra_rows"] += missing(rows, undisturbed)
            found["doubled_rows"] += doubled(rows)
            found["unfinished_runs"] += status is not RunStatus.COMPLETED or is_damaged
    except OSError as error:
        print(f"  disk: left out, {error}")
    finally:
        os.environ.pop(VARIABLE) if before is None else os.environ.update({VARIABLE: before})
    stopped = sum(map(bool, told))
    return {"victim": DISK, "kills": len(told), "runs": len(told), "stopped": stopped, **found}


def _fill_and_mend(
    lab: KillLab, config: RefineConfig, rng: random.Random, is_watched: bool
) -> tuple[str, RunStatus, Rows]:
    """Why the run stopped, how it ended after there was room again, and its rows."""
    run_id = submit(config)
    full_at = time.monotonic() + rng.uniform(4, 25)
    filler: Path | None = None
    reason, mended = "", False
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        time.sleep(0.1)
        now = time.monotonic()
        if filler is None and now >= full_at and jobs.status(run_id) is RunStatus.RUNNING:
            filler = fill(lab.home, leave=20_000_000 if is_watched else 0)
            full_at = now
        elif filler and not mended and _leave_it(run_id, now - full_at):
            filler.unlink()
            mended = True
        status = jobs.status(run_id)
        if status is RunStatus.COMPLETED:
            break
        if status in STOPPED and (why := _why(run_id, status)):
            reason = why
            if mended:
                jobs.resume(run_id)
        elif status is RunStatus.PAUSED and (mended or not filler):
            review_and_resume(run_id)
        elif status is RunStatus.FAILED:
            break
    return reason, status, rows_of(run_id)


def _leave_it(run_id: int, full_s: float) -> bool:
    """Whether somebody makes room now."""
    return full_s > FULL_S or (full_s > 3 and jobs.status(run_id) in STOPPED)


def _why(run_id: int, status: RunStatus) -> str:
    """The disk, as the reason of a stop; '' for any other."""
    if status is RunStatus.FAILED:
        told = jobs.error(run_id) or ""
        return told if "no space left" in told else ""
    with db.open_session() as session:
        lines = queries.log_lines(session, run_id=run_id)
    newest = next((line.message for line in reversed(lines) if "paused" in line.message), "")
    return newest if "MB left" in newest else ""
