"""What people decide of a run beside pausing it: its turn, where it ends, notes and tags.

Whether a run waits is told by the queue alone. Its turn is the queue's own priority, so that no
order of ours can differ from the one in which the worker takes runs up.
"""

from sqlalchemy import column, table, update
from sqlmodel import Session

from storage import db, jobs, queries, run_status
from storage.db import StorageError
from storage.models import Run
from storage.run_status import RunStatus

ENDABLE = (RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.PAUSED, RunStatus.INTERRUPTED)
MAX_NOTE, MAX_TAGS = 4000, 200  # characters


def waiting() -> list[int]:
    """The runs that wait, in the order in which the worker will take them up."""
    return [_run_of(workflow_id) for workflow_id in _in_order("ENQUEUED")]


def move(run_id: int, *, by: int) -> None:
    """Let a waiting run start `by` places later, or earlier where that is negative."""
    in_order = _in_order("ENQUEUED")
    place = next((n for n, each in enumerate(in_order) if _run_of(each) == run_id), None)
    if place is None:
        raise StorageError(f"run {run_id} does not wait any more")
    moved = in_order.pop(place)
    in_order.insert(max(0, place + by), moved)
    # What was taken up stays first: a run whose worker is killed is in the queue once more.
    for_all = [*_in_order("PENDING"), *in_order]
    with db.open_session() as session:
        for priority, workflow_id in enumerate(for_all, 1):
            _give_priority(session, workflow_id, priority)


def stop_after_iteration(run_id: int) -> int:
    """Let the run end when the iteration under way is evaluated; returns its number."""
    with db.open_session() as session:
        run = _endable(session, run_id)
        number = queries.newest_iteration(session, run_id=run_id)
        run.stop_after = number
        queries.add_log(session, run_id=run_id, message=f"to end after iteration {number}")
        return number


def go_on(run_id: int) -> None:
    """Take that back."""
    with db.open_session() as session:
        _endable(session, run_id).stop_after = None
        queries.add_log(session, run_id=run_id, message="to go on to the end as planned")


def last_iteration(session: Session, *, run: Run) -> int:
    """The one after which the run ends, as asked or as planned; one that has begun is finished."""
    planned = int(run.config.get("iterations", 1))
    if run.stop_after is None:
        return planned
    assert run.id is not None
    return min(planned, max(run.stop_after, queries.newest_iteration(session, run_id=run.id)))


def end_of(run_id: int) -> int:
    """`last_iteration` of a run by its number."""
    with db.open_session() as session:
        return last_iteration(session, run=jobs.run_or_error(session, run_id))


def annotate(run_id: int, *, note: str, tags: str) -> None:
    """Replace both; tags are words, kept in lower case."""
    words = list(dict.fromkeys(tags.lower().replace(",", " ").replace("#", " ").split()))
    if len(note) > MAX_NOTE or len(" ".join(words)) > MAX_TAGS:
        raise StorageError(
            f"a note has at most {MAX_NOTE:,} characters, tags have {MAX_TAGS} in all: shorten it"
        )
    with db.open_session() as session:
        run = jobs.run_or_error(session, run_id)
        run.note, run.tags = note.strip(), " ".join(words)


def _endable(session: Session, run_id: int) -> Run:
    run = jobs.run_or_error(session, run_id)
    if (now := jobs.status(run_id)) not in ENDABLE:
        raise StorageError(f"run {run_id} is {now}: where it ends cannot be changed")
    return run


def _in_order(status: str) -> list[str]:
    """Attempts in the queue of runs, by workflow id."""
    found = jobs.client().list_workflows(
        queue_name=jobs.QUEUE, status=status, app_version=run_status.VERSION,
        load_input=False, load_output=False,
    )  # fmt: skip
    found.sort(key=lambda workflow: (workflow.priority or 0, workflow.created_at or 0))
    return [workflow.workflow_id for workflow in found]


def _give_priority(session: Session, workflow_id: str, priority: int) -> None:
    """In DBOS's own table: its client sets a priority only when it enqueues."""
    connection = session.connection()
    schema = "dbos" if connection.dialect.name == "postgresql" else None
    workflows = table("workflow_status", column("workflow_uuid"), column("priority"), schema=schema)
    is_it = workflows.c.workflow_uuid == workflow_id
    connection.execute(update(workflows).where(is_it).values(priority=priority))


def _run_of(workflow_id: str) -> int:
    return int(workflow_id.split("-")[1])
