"""The pairs of a run in the database, as `pair_export` wants them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.pair_export import (
    ALL,
    TRAINING,
    Origin,
    StoredPair,
    Tally,
    is_wanted,
    row_of,
    write_pairs,
)
from codelutra.records import PairNotes
from codelutra.row_records import reviewed_pair
from codelutra.tasks import load_tasks
from storage import db, pair_files, queries
from storage.models import Iteration


def export_run(run_id: int, out: Path, which: str = TRAINING, number: int | None = None) -> Tally:
    """Write the file `out`; nothing in the database changes."""
    return write_pairs(exported_rows(run_id, which, number), out)


def exported_rows(run_id: int, which: str, number: int | None = None) -> Iterator[dict[str, Any]]:
    with db.open_session() as session:
        run = queries.get_run(session, run_id=run_id)
        adapters = pair_files.adapters(session, run_id=run_id)
    if run is None:
        raise CodeLutraError(f"there is no run {run_id}")
    config = RefineConfig.model_validate(run.config)
    prompts = {task.task_id: task.prompt for task in load_tasks(config.tasks)}
    origin = Origin(str(run_id), config.model, prompts, adapters)
    for one in stored(run_id, which, number):
        yield row_of(one, origin)


def stored(run_id: int, which: str, number: int | None = None) -> Iterator[StoredPair]:
    """In the order of their iterations; of `number` alone where it is given."""
    with db.open_session() as session:
        rows = queries.iterations(session, run_id=run_id)
    for iteration in rows:
        if number is None or iteration.number == number:
            yield from _of_iteration(iteration, which)


def _of_iteration(iteration: Iteration, which: str) -> Iterator[StoredPair]:
    assert iteration.id
    with db.open_session() as session:
        if which == TRAINING and iteration.frozen_review is not None:
            found = pair_files.as_trained_on(session, iteration_id=iteration.id)
        else:
            states = () if which in (TRAINING, ALL) else (which,)
            found = pair_files.as_they_are(
                session, run_id=iteration.run_id, iteration_id=iteration.id, states=states
            )
        for row, warnings, verdict in found:
            notes = PairNotes(tuple(warnings), row.doubt)
            one = StoredPair(iteration.number, reviewed_pair(row), row.reviewer, verdict, notes)
            if is_wanted(one, which):
                yield one
