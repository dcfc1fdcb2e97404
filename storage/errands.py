"""What the worker does beside its runs, each a workflow of its own: checks, trials, imports."""

from dbos import EnqueueOptions
from sqlmodel import Session

from storage import jobs, run_status
from storage.at_work import worker_at_work
from storage.run_status import RunStatus, derive_check_status


def enqueue(session: Session, *, workflow: str, queue: str, workflow_id: str, row_id: int) -> None:
    """In the session's transaction: the row and its workflow, both or neither."""
    options: EnqueueOptions = {
        "workflow_name": workflow,
        "queue_name": queue,
        "workflow_id": workflow_id,
        "workflow_id_reuse_policy": "reject",
        "app_version": run_status.VERSION,
    }
    jobs.client().enqueue_in_transaction(session, options, row_id)


def status(workflow_id: str) -> RunStatus:
    worker = worker_at_work()  # first: what it does can then only have ended
    found = jobs.client().list_workflows(
        workflow_ids=[workflow_id], load_input=False, load_output=False
    )
    return derive_check_status(found[0] if found else None, worker)


def error(workflow_id: str) -> str:
    """Why it failed, in one line."""
    found = jobs.client().list_workflows(workflow_ids=[workflow_id], load_input=False)
    lines = str(found[0].error if found else "").strip().splitlines()
    return lines[0] if lines else "the job queue does not know why"
