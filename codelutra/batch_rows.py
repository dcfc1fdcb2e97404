"""A batch kept in the database: what the worker does of one that a page asked for."""

from dataclasses import asdict

from codelutra.batch import Batch, run_batch
from codelutra.batch_tasks import tasks_for
from codelutra.cli_compare import write_csv
from codelutra.config import RefineConfig
from codelutra.engine_room import EngineRoom
from codelutra.errand_watch import Stopper
from codelutra.errors import StopRequested
from codelutra.model_states import state_of
from storage import batches, db, queries


def run_stored_batch(room: EngineRoom, batch_id: int) -> None:
    """A run goes first: what it interrupts goes on after it, finished states are kept."""
    with db.open_session() as session:
        row = batches.get(session, batch_id=batch_id)
        run = queries.get_run(session, run_id=row.run_id) if row else None
    if row is None or run is None or row.finished_at:
        return
    config = RefineConfig.model_validate(run.config)
    states = [state_of(state) for state in row.states]
    chosen = tasks_for(config, row.tasks)
    total, batch = len(states) * len(chosen.tasks), Batch(chosen.tasks, states)
    log = db.current().home / "logs" / f"batch-{batch_id}.log"

    def say(note: str) -> None:
        done = sum(map(len, batch.samples.values()))
        with db.open_session() as session:
            batches.report(session, batch_id=batch_id, note=note, done=done, total=total)

    is_stopped = Stopper(batches.workflow_of(batch_id))
    while True:
        try:
            with room.alone(is_stopped, say) as is_taken:
                run_batch(
                    states, chosen.tasks, config, beside=chosen.beside, known=batch, log=log,
                    report=lambda label, *_: say(label),
                    should_stop=lambda: is_taken() or is_stopped(),
                )  # fmt: skip
            break
        except StopRequested:
            if is_stopped():
                raise
    path = db.current().home / "batches" / f"batch-{batch_id}.csv"
    path.parent.mkdir(exist_ok=True)
    write_csv(path, batch.rows())
    scores = [{**asdict(s), "pass_at_1": s.pass_at_1, "ci95": s.ci95} for s in batch.scores()]
    with db.open_session() as session:
        batches.finish(session, batch_id=batch_id, scores=scores, path=str(path))
