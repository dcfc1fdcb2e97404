"""Submit, pause, resume, cancel: the job queue as the web process sees it (DBOS's client).

A run's status is derived here and stored nowhere: from its workflow, the last request, and
what the worker's lock file says. Resuming starts a *new attempt*, a fresh workflow of the same
run; every step looks at the rows first, so it goes on where the run stopped. (DBOS's own
resume and fork keep the old workflow's version and step list, see the hosting notes.)
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSClient, EnqueueOptions, WorkflowStatus
from sqlmodel import Session

from storage import attempts, db, queries, run_status
from storage.at_work import worker_at_work
from storage.db import StorageError
from storage.models import Iteration, Run
from storage.run_status import CANCELLABLE, PAUSABLE, STOPPED, RunStatus, derive_status

QUEUE = "runs"
WORKFLOW = "refine_run"
CHECK_QUEUE = "checks"  # of task sets, see checks.py: they need not wait for a run's end
CHECK_WORKFLOW = "check_tasks"
TRIAL_QUEUE = "trials"  # of programs that a person waits for, see trials.py
TRIAL_WORKFLOW = "run_trial"
IMPORT_QUEUE = "imports"  # of pairs, see pair_imports.py: a trial need not wait for their end
IMPORT_WORKFLOW = "import_pairs"
COMPARE_QUEUE = "comparisons"  # several at a time: they share one engine
COMPARE_WORKFLOW = "compare"
BATCH_QUEUE = "batches"  # see batches.py
BATCH_WORKFLOW = "run_batch"
ONE_BY_ONE = (QUEUE, CHECK_QUEUE, TRIAL_QUEUE, IMPORT_QUEUE, BATCH_QUEUE)
AT_ONCE = dict.fromkeys(ONE_BY_ONE, 1) | {COMPARE_QUEUE: 4}
# Seconds between two looks: each costs an idle worker some milliseconds, and a person notices
# only those before an answer.
POLL_S = dict.fromkeys(AT_ONCE, 2.0) | {QUEUE: 1.0, TRIAL_QUEUE: 0.5, COMPARE_QUEUE: 0.5}
APPLICATION = "codelutra"
LAST = 2**31 - 1  # DBOS's lowest priority: behind all that have been given a place, see steering.py


_client: DBOSClient | None = None
_database: db.Database | None = None  # that the client is of


def prepare(home: Path) -> None:
    """Open the database, make DBOS's tables and the queue, so that runs can be submitted.

    DBOS's client never makes its tables, and the web process may come before the worker.
    """
    global _client, _database
    database = db.init(home)
    if database is _database:
        return
    with db.explained(database.home, database.url), db.migration_lock(database.home):
        DBOS.migrate(database.url)
        _client = DBOSClient(
            system_database_url=database.url,
            system_database_engine=database.engine,
            application_name=APPLICATION,
            retry_connection_errors=False,
        )
        # worker_concurrency, not concurrency: a stale workflow of another version would
        # otherwise hold the only place for ever.
        for queue, at_once in AT_ONCE.items():
            _client.register_queue(
                queue, worker_concurrency=at_once, polling_interval_sec=POLL_S[queue]
            )
    _database = database


def submit(
    session: Session,
    *,
    config: dict[str, Any],
    name: str,
    num_train: int,
    num_heldout: int,
    num_validation: int = 0,
) -> Run:
    """A run and its workflow, queued in the session's transaction: both or neither."""
    run = queries.create_run(
        session,
        name=name,
        config=config,
        num_train=num_train,
        num_heldout=num_heldout,
        num_validation=num_validation,
    )
    run.workflow_id = f"run-{run.id}-{run.attempt}"
    _enqueue(session, run)
    return run


def pause(run_id: int) -> None:
    """Stop at the next poll and keep everything; `resume` goes on from there."""
    _stop(run_id, "pause", PAUSABLE)


def pause_for_review(run_id: int, *, iteration_id: int) -> bool:
    """Pause the run when no earlier attempt of it stopped to wait for this iteration's review.

    The attempt that resumes it finds that one did, and goes on. False then.
    """
    with db.open_session() as session:
        run, iteration = run_or_error(session, run_id), session.get_one(Iteration, iteration_id)
        if iteration.review_attempt is not None and iteration.review_attempt < run.attempt:
            return False
        iteration.review_attempt = run.attempt  # before the pause: a kill between them asks again
    with contextlib.suppress(StorageError):  # somebody is pausing it already
        pause(run_id)
    return True


def cancel(run_id: int) -> None:
    """Stop for good (as far as anybody wants: a cancelled run can be resumed too)."""
    _stop(run_id, "cancel", CANCELLABLE)


def resume(run_id: int) -> None:
    """Queue a new attempt that goes on from the rows the run already has."""
    with db.open_session() as session:
        run = run_or_error(session, run_id)
        now = _status(session, run)
        if (
            now is RunStatus.INTERRUPTED
            and _workflow(run.workflow_id).app_version != run_status.VERSION
        ):
            client().cancel_workflow(run.workflow_id)
        elif now is RunStatus.INTERRUPTED:
            raise StorageError(f"run {run_id} was interrupted: it continues when a worker starts")
        elif now not in STOPPED:
            raise StorageError(f"run {run_id} is {now}: only a stopped run can be resumed")
        if not attempts.bump_attempt(session, run=run):
            raise StorageError(f"run {run_id} has just been resumed by somebody else")
        attempts.add_request(session, run=run, action="resume")
        queries.add_log(session, run_id=run_id, message="resume requested")
        _enqueue(session, run)


def status(run_id: int) -> RunStatus:
    with db.open_session() as session:
        return _status(session, run_or_error(session, run_id))


def statuses(run_ids: Sequence[int]) -> dict[int, RunStatus]:
    """Of several runs with three queries in all; unknown ids are left out."""
    with db.open_session() as session:
        runs = [run for id in run_ids if (run := queries.get_run(session, run_id=id))]
        return _statuses(session, runs)


def error(run_id: int) -> str | None:
    """Why the run failed, in one line; None when it did not."""
    with db.open_session() as session:
        run = run_or_error(session, run_id)
    try:
        workflow = _workflow(run.workflow_id, load_output=True)
    except StorageError as lost:  # a reason like any other: the page can say it
        return str(lost)
    if workflow.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return f"the worker died {workflow.recovery_attempts} times in this run: see its log"
    if workflow.status != "ERROR":
        return None
    lines = str(workflow.error).strip().splitlines()
    return lines[0] if lines else type(workflow.error).__name__


def unfinished() -> list[WorkflowStatus]:
    """Every attempt that is queued or under way, of any version, oldest first."""
    return client().list_workflows(
        name=[WORKFLOW, CHECK_WORKFLOW, TRIAL_WORKFLOW, IMPORT_WORKFLOW, BATCH_WORKFLOW],
        status=["ENQUEUED", "PENDING"],
        load_input=False,
        load_output=False,
    )


def is_stopped(workflow_id: str) -> bool:
    """True once the attempt was paused or cancelled."""
    return _workflow(workflow_id).status == "CANCELLED"


def client() -> DBOSClient:
    assert _client, "storage.jobs.prepare(home) comes first"
    return _client


def _enqueue(session: Session, run: Run) -> None:
    options: EnqueueOptions = {
        "workflow_name": WORKFLOW,
        "queue_name": QUEUE,
        "workflow_id": run.workflow_id,
        "workflow_id_reuse_policy": "reject",
        "app_version": run_status.VERSION,
        "priority": LAST,
    }
    client().enqueue_in_transaction(session, options, run.id)


def _stop(run_id: int, action: str, allowed: Sequence[RunStatus]) -> None:
    with db.open_session() as session:
        run = run_or_error(session, run_id)
        now = _status(session, run)
        if now not in allowed:
            raise StorageError(f"run {run_id} is {now}: there is nothing to {action}")
        attempts.add_request(session, run=run, action=action)
        queries.add_log(session, run_id=run_id, message=f"{action} requested")
    client().cancel_workflow(run.workflow_id)


def run_or_error(session: Session, run_id: int) -> Run:
    run = queries.get_run(session, run_id=run_id)
    if run is None:
        raise StorageError(f"there is no run {run_id}")
    return run


def _workflow(workflow_id: str, *, load_output: bool = False) -> WorkflowStatus:
    found = client().list_workflows(
        workflow_ids=[workflow_id], load_input=False, load_output=load_output
    )
    if not found:
        raise StorageError(f"the job queue has lost {workflow_id}: was the database replaced?")
    return found[0]


def _status(session: Session, run: Run) -> RunStatus:
    assert run.id is not None
    return _statuses(session, [run])[run.id]


def _statuses(session: Session, runs: Sequence[Run]) -> dict[int, RunStatus]:
    if not runs:
        return {}
    worker = worker_at_work()  # first: what it runs can then only have ended
    found = client().list_workflows(
        workflow_ids=[run.workflow_id for run in runs], load_input=False, load_output=False
    )
    workflows = {workflow.workflow_id: workflow for workflow in found}
    asked = attempts.last_requests(session, run_ids=[run.id for run in runs if run.id])
    return {
        run.id: derive_status(
            workflows.get(run.workflow_id), asked.get((run.id, run.attempt)), worker
        )
        for run in runs
        if run.id is not None
    }
