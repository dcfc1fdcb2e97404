"""The worker: runs queued refinements, one at a time, as durable DBOS workflows.

Started by the app, or alone with `python -m codelutra worker`. Every step of a run is recorded,
and every step looks at the run's rows first: a worker that was killed goes on where it was.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dbos import DBOS, DBOSConfig
from dbos import error as dbos_error
from sqlalchemy.exc import DBAPIError

from codelutra.backends import why_no_runs
from codelutra.batch_rows import run_stored_batch
from codelutra.check_rows import run_check
from codelutra.compare_rows import run_comparison
from codelutra.disk_watch import min_free_mb, shortage
from codelutra.engine_room import EngineRoom
from codelutra.errors import CodeLutraError, StopRequested
from codelutra.gauges import Gauges
from codelutra.import_rows import run_import
from codelutra.ledger import Ledger
from codelutra.loop import Step, refine
from codelutra.lost_database import begin_again, is_lost, stand_still, stand_still_if_lost
from codelutra.run_log import log_line
from codelutra.run_rows import RunRows
from codelutra.snapshot_state import address
from codelutra.snapshots import Snapshots, restore_if_empty
from codelutra.starting_again import start_again
from codelutra.tasks import load_tasks, select_tasks
from codelutra.trial_rows import run_trial
from codelutra.worker_children import is_alive, kill_groups_of_children, process
from codelutra.worker_locks import WorkerLocks, check_home
from codelutra.worker_log import log_to
from storage import db, jobs, run_status
from storage.gauges import set_reading
from storage.lock import find_worker

POLL_S = 1.0
DATABASE_RETRY_S = 2.0
# Deaths of the worker in one attempt before the run is given up as the cause of them.
MAX_DEATHS = 100

STOPPED = (
    StopRequested,
    dbos_error.DBOSWorkflowCancelledError,
    dbos_error.DBOSWorkflowConflictIDError,
)

Refine = Callable[[Ledger, Step], None]

log = logging.getLogger("codelutra.worker")
_leaving = threading.Event()
_under_way: set[int] = set()  # runs
_snapshots: Snapshots | None = None  # where CODELUTRA_SNAPSHOT says so


def refine_configured_tasks(ledger: Ledger, step: Step) -> None:
    tasks = select_tasks(load_tasks(ledger.config.tasks), ledger.config)
    refine(ledger, tasks, step=step)


def main(home: Path, parent_pid: int | None = None, run: Refine = refine_configured_tasks) -> int:
    """Work until told to stop, or until idle once `parent_pid` is gone.

    Returns 2 when the worker cannot start. Otherwise it ends the process itself: a workflow
    under way has a thread of its own, and is continued by the next worker.
    """
    home = home.expanduser().absolute()
    parent = process(parent_pid) if parent_pid else None

    def is_over() -> bool:
        return _leaving.is_set() or (parent_pid is not None and not is_alive(parent))

    try:
        locks = WorkerLocks(home)
        least_mb = min_free_mb()
        log_to(home / "worker.log")
        restore_if_empty(home)
        jobs.prepare(home)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        if not locks.wait_for_database(is_over):
            return 0
    except (db.StorageError, CodeLutraError) as error:
        print(error, file=sys.stderr)
        return 2
    os.environ["CODELUTRA_HOME"] = str(home)  # task sets and phase children look there
    if url := address():
        global _snapshots
        _snapshots = Snapshots(home, url)
    _launch(locks, run)
    _wait(parent_pid, home, least_mb, locks)
    _exit()


def _launch(locks: WorkerLocks, run: Refine) -> None:
    config: DBOSConfig = {
        "name": jobs.APPLICATION,
        "system_database_url": db.current().url,
        "system_database_engine": db.current().engine,
        "application_version": run_status.VERSION,
        "executor_id": "local",
        "log_level": "WARNING",
    }
    DBOS(config=config)
    room = EngineRoom()

    @DBOS.workflow(name=jobs.WORKFLOW, max_recovery_attempts=MAX_DEATHS)
    def refine_run(run_id: int) -> None:
        workflow_id = DBOS.workflow_id
        assert workflow_id
        locks.show(workflow_id, is_executing=True)
        room.evict(run_id)
        _under_way.add(run_id)
        try:
            _refine_run(run_id, workflow_id, run)
        finally:
            _under_way.discard(run_id)
            locks.show(workflow_id, is_executing=False)
            room.give_back(run_id)

    @DBOS.workflow(name=jobs.CHECK_WORKFLOW, max_recovery_attempts=MAX_DEATHS)
    def check_tasks(check_id: int) -> None:
        _guarded("check", run_check, check_id)

    @DBOS.workflow(name=jobs.TRIAL_WORKFLOW, max_recovery_attempts=3)
    def run_a_trial(trial_id: int) -> None:
        _guarded("trial", run_trial, trial_id)

    @DBOS.workflow(name=jobs.IMPORT_WORKFLOW, max_recovery_attempts=3)
    def import_pairs(import_id: int) -> None:
        _guarded("import", run_import, import_id)

    @DBOS.workflow(name=jobs.COMPARE_WORKFLOW, max_recovery_attempts=3)
    def compare(comparison_id: int) -> None:
        _guarded("comparison", partial(run_comparison, room), comparison_id)

    @DBOS.workflow(name=jobs.BATCH_WORKFLOW, max_recovery_attempts=3)
    def batch(batch_id: int) -> None:
        _guarded("batch", partial(run_stored_batch, room), batch_id)

    if why_no_runs():  # they wait for a worker that can, those under way with their database too
        DBOS.listen_queues([name for name in jobs.AT_ONCE if name != jobs.QUEUE])
    DBOS.launch()
    log.info("worker %d started on %s", os.getpid(), db.current().home)
    for workflow in jobs.unfinished():
        if workflow.app_version != run_status.VERSION:
            log.warning("%s is of another version: resume it by hand", workflow.workflow_id)


def _refine_run(run_id: int, workflow_id: str, run: Refine) -> None:
    """One attempt of a run: the door at which every error becomes the run's one-line reason.

    A stopped workflow stays CANCELLED whatever is raised here; DBOS notices itself when a step
    of it ends, and then raises one of STOPPED.
    """
    try:
        log_line(run_id, f"{workflow_id}: worker {os.getpid()} at work")
        check_home(run_id)
        run(RunRows(run_id, workflow_id), _run_phase)
        log_line(run_id, "completed")
    except STOPPED:
        log_line(run_id, "stopped; what is finished is kept")
        raise
    except Exception as error:
        stand_still_if_lost(error)
        reason = _reason(error)
        _record_failure(run_id, reason, traceback.format_exc())
        raise RuntimeError(reason) from None  # of a type that the web process can unpickle


def _guarded(name: str, function: Callable[[int], None], number: int) -> None:
    """The door at which every error of a check, trial or import becomes its one-line reason."""
    try:
        _run_step(name, function, number)
    except STOPPED:
        raise
    except Exception as error:
        stand_still_if_lost(error)
        log.error("%s %d failed:\n%s", name, number, traceback.format_exc())
        raise RuntimeError(_reason(error)) from None  # see _refine_run


def _run_step(name: str, function: Callable[..., Any], *args: Any) -> Any:
    result = DBOS.run_step({"name": name}, _call_unless_ending, function, *args)
    if _snapshots:
        _snapshots.due()
    return result


def _run_phase(name: str, phase: Callable[..., Any], ledger: Ledger, *args: Any) -> Any:
    return _run_step(name, partial(start_again, is_leaving=_is_ending), phase, ledger, *args)


def _call_unless_ending(function: Callable[..., Any], *args: Any) -> Any:
    """A step that fails because this worker is ending must not be recorded as failed."""
    if _is_ending():
        stand_still()
    try:
        return function(*args)
    except Exception as error:
        stand_still_if_lost(error)
        if _is_ending():
            stand_still()
        raise


def _is_ending() -> bool:
    return _leaving.is_set() or is_lost()


def _reason(error: Exception) -> str:
    database = db.current()
    lines = str(error).strip().splitlines() or [""]
    if isinstance(error, CodeLutraError | db.StorageError) and lines[0]:
        return lines[0]
    return db.explain(error, database.home, database.url) or f"{type(error).__name__}: {lines[0]}"


def _record_failure(run_id: int, reason: str, trace: str) -> None:
    """Waits for a database that cannot be written to (a full disk): the workflow's end is
    written there too, and would be lost."""
    log.error("run %d failed: %s\n%s", run_id, reason, trace)
    while True:
        try:
            log_line(run_id, f"failed: {reason}", trace)
            return
        except (db.StorageError, DBAPIError, OSError) as error:
            log.error("cannot record it yet: %s", error)
            time.sleep(DATABASE_RETRY_S)


def _wait(parent_pid: int | None, home: Path, least_mb: int, locks: WorkerLocks) -> None:
    parent = process(parent_pid) if parent_pid else None
    gauges = Gauges()
    while not _leaving.wait(POLL_S):
        if is_lost() or not locks.is_held():
            begin_again(_leaving.is_set)
            return
        _show(gauges)
        if _under_way and (reason := shortage(home, least_mb)):
            _pause_all(reason)
        is_orphan = parent_pid is not None and not is_alive(parent)
        if is_orphan and not _has_work():
            log.info("process %d is gone and nothing is queued", parent_pid)
            return


def _show(gauges: Gauges) -> None:
    """While a run is executed: what the machine is doing."""
    worker = find_worker(db.current().home)
    if worker and worker.is_executing:
        try:
            with db.open_session() as session:
                set_reading(session, values=gauges.read())
        except (db.StorageError, DBAPIError) as error:
            log.warning("cannot record what the machine is doing: %s", error)


def _pause_all(reason: str) -> None:
    """While there is still room to say so."""
    for run_id in list(_under_way):
        with contextlib.suppress(db.StorageError):  # it is stopping already
            jobs.pause(run_id)
            log_line(run_id, f"paused: {reason}")


def _has_work() -> bool:
    try:
        return any(workflow.app_version == run_status.VERSION for workflow in jobs.unfinished())
    except DBAPIError as error:
        log.warning("cannot read the queue: %s", error)
        return True


def _leave(_signal: int, _frame: FrameType | None) -> None:
    _leaving.set()


def _exit() -> NoReturn:
    _leaving.set()
    log.info("worker %d ends; what is under way continues with the next worker", os.getpid())
    kill_groups_of_children()
    if _snapshots:
        _snapshots.finish()
    logging.shutdown()
    os._exit(0)
