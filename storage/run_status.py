"""The status of a run or a check: derived from its workflow, the last request and the worker."""

from enum import StrEnum

from dbos import WorkflowStatus

from storage.lock import Worker

# Bump by hand when a step is added, dropped or moved: workflows of another version are never
# recovered (they could replay a wrong step) and show as interrupted until somebody resumes them.
VERSION = "3"


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # started, then its worker died: continues when one starts


UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.INTERRUPTED)  # of a check
PAUSABLE = (RunStatus.RUNNING, RunStatus.INTERRUPTED)
CANCELLABLE = (*PAUSABLE, RunStatus.QUEUED, RunStatus.PAUSING, RunStatus.PAUSED)
STOPPED = (
    RunStatus.PAUSING,
    RunStatus.PAUSED,
    RunStatus.CANCELLING,
    RunStatus.CANCELLED,
    RunStatus.FAILED,
)


def derive_status(
    workflow: WorkflowStatus | None, asked: str | None, worker: Worker | None
) -> RunStatus:
    """The one place where a status comes from."""
    if workflow is None or workflow.status in ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        return RunStatus.FAILED
    if workflow.status == "SUCCESS":
        return RunStatus.COMPLETED
    is_taken_up = worker is not None and worker.workflow_id == workflow.workflow_id
    is_executing = is_taken_up and worker is not None and worker.is_executing
    if workflow.status == "CANCELLED" and asked == "pause":
        return RunStatus.PAUSING if is_executing else RunStatus.PAUSED
    if workflow.status == "CANCELLED":
        return RunStatus.CANCELLING if is_executing else RunStatus.CANCELLED
    if workflow.app_version != VERSION:
        return RunStatus.INTERRUPTED
    if is_taken_up:  # and until its end is recorded
        return RunStatus.RUNNING
    if workflow.status == "PENDING" and worker is None:
        return RunStatus.INTERRUPTED
    return RunStatus.QUEUED  # also in the moment between taking it up and executing it


def derive_check_status(workflow: WorkflowStatus | None, worker: Worker | None) -> RunStatus:
    """Of a check, which nobody pauses or resumes: another one is asked for instead."""
    if workflow is None or workflow.status in ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        return RunStatus.FAILED
    if workflow.status == "SUCCESS":
        return RunStatus.COMPLETED
    if workflow.status == "CANCELLED" or workflow.app_version != VERSION:
        return RunStatus.CANCELLED  # one of another version is never taken up
    if workflow.status == "PENDING" and worker is None:
        return RunStatus.INTERRUPTED
    return RunStatus.RUNNING if workflow.status == "PENDING" else RunStatus.QUEUED
