"""A check of a task set's golds, kept in the database: what the worker does of `storage.checks`."""

from dataclasses import asdict

from codelutra.errand_watch import Reporter, Stopper
from codelutra.tasks import load_tasks
from codelutra.tasks.health import find_problems
from storage import checks, db


def run_check(check_id: int) -> None:
    """Raises StopRequested when somebody cancelled it."""

    def report(done: int, _: int) -> None:
        with db.open_session() as session:
            checks.set_done(session, check_id=check_id, done=done)

    with db.open_session() as session:
        tasks = checks.get_check(session, check_id=check_id).tasks
    should_stop = Stopper(checks.workflow_of(check_id))
    findings = find_problems(load_tasks(tasks), Reporter(report), should_stop)
    with db.open_session() as session:
        checks.finish(session, check_id=check_id, findings=[asdict(one) for one in findings])
