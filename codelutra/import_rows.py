"""Pairs of a file join a run in the database: what the worker and the command line do of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session

from codelutra.config import RefineConfig, home
from codelutra.errand_watch import Reporter, Stopper
from codelutra.errors import CodeLutraError
from codelutra.grading import never
from codelutra.pair_import import CheckedPair, Report, RunTasks, check_pairs, tasks_of_run
from codelutra.pair_reading import Problem, read_pairs
from codelutra.pair_warnings import warn
from codelutra.records import PairNotes, PreferencePair, Sample
from codelutra.reviews import Vetoes
from codelutra.row_records import reviewed_pair
from codelutra.run_log import log_line
from codelutra.run_rows import RunRows, read_run
from codelutra.tasks.task import Task
from codelutra.token_counts import token_counter
from storage import db, jobs, pair_files, pair_imports, queries

IMPORTED, COMPARED_IN = "imported", "compare"  # sources of a pair
COMPARED = 20  # pairs of a task that new ones are compared with, to find near duplicates


@dataclass(frozen=True)
class ImportResult:
    """What became of a file."""

    iteration: int  # that the pairs joined, or would have joined
    num_added: int
    num_executed: int  # of the added ones; the others are of tasks that the run does not know
    num_duplicates: int
    num_refused: int
    is_stored: bool  # False: rows were bad, so nothing was
    problems: list[Problem] = field(default_factory=list)

    @property
    def words(self) -> str:
        if not self.is_stored:
            return f"nothing was stored: {self.num_refused:,} rows are bad"
        return (
            f"{self.num_added:,} pairs joined iteration {self.iteration} ({self.num_executed:,} "
            f"executed), {self.num_duplicates:,} skipped: the run has them already, "
            f"{self.num_refused:,} refused"
        )


def import_into(
    run_id: int,
    path: Path,
    *,
    skip_bad: bool,
    source: str = IMPORTED,
    report: Report = lambda done, total: None,
    should_stop: Callable[[], bool] = never,
    end: Callable[[Session, ImportResult], None] = lambda session, result: None,
) -> ImportResult:
    """The file's pairs join the iteration that trains next; `end` runs in their transaction."""
    with db.open_session() as session:
        run = queries.get_run(session, run_id=run_id)
    if run is None:
        raise CodeLutraError(f"there is no run {run_id}")
    config = RefineConfig.model_validate(run.config)
    with db.open_session() as session:  # before anything is executed in vain
        number = pair_imports.open_iteration(session, run_id=run_id, last=config.iterations)
    tasks, rows = tasks_of_run(config), RunRows(run_id, run.workflow_id)
    checked = check_pairs(
        read_pairs(path), tasks, config, known=_known(run_id), vetoes=Vetoes(rows.vetoes()),
        skip_bad=skip_bad, report=report, should_stop=should_stop,
    )  # fmt: skip
    is_stored = skip_bad or not checked.num_refused
    found = checked.pairs if is_stored else []
    notes = _notes(rows, number, found, tasks) if found else []
    with db.open_session() as session:
        if found:
            number = pair_imports.add(
                session, run_id=run_id, last=config.iterations,
                rows=[_row(one, note, source) for one, note in zip(found, notes, strict=True)],
                is_unfenced=checked.is_unfenced,
            )  # fmt: skip
        result = ImportResult(
            number, len(found), sum(bool(one.rejected_verdict) for one in found),
            checked.num_duplicates, checked.num_refused, is_stored, checked.problems,
        )  # fmt: skip
        end(session, result)
    if found:
        where = "imported pairs" if source == IMPORTED else "pairs from Compare"
        log_line(run_id, f"iteration {number}: {len(found)} {where} joined")
    return result


def import_by_hand(run_id: int, path: Path, *, skip_bad: bool, report: Report) -> ImportResult:
    """Without a worker, on the command line."""
    with read_run(run_id):  # CodeLutraError where there is none
        jobs.prepare(home())
        return import_into(run_id, path, skip_bad=skip_bad, report=report)


def run_import(import_id: int) -> None:
    """What the worker does of an import that a page asked for."""
    with db.open_session() as session:
        wish = pair_imports.get(session, import_id=import_id)
    if wish is None or wish.finished_at:
        return
    path = Path(wish.path)
    if not path.is_file():
        raise CodeLutraError(f"the upload of {wish.name} is gone: give the file once more")

    def report(done: int, total: int) -> None:
        with db.open_session() as session:
            pair_imports.set_done(session, import_id=import_id, done=done, total=total)

    def finish(session: Session, result: ImportResult) -> None:
        pair_imports.finish(session, import_id=import_id, result=asdict(result))

    import_into(
        wish.run_id, path, skip_bad=wish.skip_bad,
        source=COMPARED_IN if wish.comparison_id else IMPORTED, report=Reporter(report),
        should_stop=Stopper(pair_imports.workflow_of(import_id)), end=finish,
    )  # fmt: skip
    path.unlink(missing_ok=True)


def _known(run_id: int) -> Iterator[PreferencePair]:
    with db.open_session() as session:
        for task_id, prompt, chosen, rejected in pair_files.texts(session, run_id=run_id):
            yield PreferencePair(task_id, chosen, rejected, None, None, prompt or "")


def _notes(
    rows: RunRows, number: int, found: Sequence[CheckedPair], tasks: RunTasks
) -> list[PairNotes]:
    """As for the iteration's own pairs of the same tasks, which they are compared with."""
    new = [one.pair for one in found]
    mine = {pair.task_id for pair in new}
    there, drawn = _there(rows, number, mine)
    known = {pair.task_id: tasks.by_id.get(pair.task_id) or _stand_in(pair, tasks) for pair in new}
    count_tokens = token_counter(rows.config.model)
    notes = warn([*there, *new], drawn, known, count_tokens, rows.config.training.max_length)
    return list(notes[len(there) :])


def _there(rows: RunRows, number: int, mine: set[str]) -> tuple[list[PreferencePair], list[Sample]]:
    """The iteration's pairs of some tasks, the first COMPARED of each, and their samples."""
    with db.open_session() as session:
        iteration = queries.get_iteration(session, run_id=rows.run_id, number=number)
        found = queries.pairs(session, iteration_id=iteration.id or 0) if iteration else ()
    if iteration is None:
        return [], []
    pairs, counted = list[PreferencePair](), Counter[str]()
    for row in found:
        counted[row.task_id] += 1
        if row.task_id in mine and counted[row.task_id] <= COMPARED:
            pairs.append(reviewed_pair(row).pair)
    return pairs, [sample for sample in rows.samples(number, "train") if sample.task_id in mine]


def _stand_in(pair: PreferencePair, tasks: RunTasks) -> Task:
    """For a task that the run does not know: what its language is, the set's tasks say."""
    kinds = Counter(task.kind for task in tasks.by_id.values())
    kind = kinds.most_common(1)[0][0]
    return Task.model_construct(
        task_id=pair.task_id, kind=kind, prompt=pair.prompt, gold=pair.chosen
    )


def _row(one: CheckedPair, note: PairNotes, source: str) -> dict[str, Any]:
    pair = asdict(one.pair)
    return {
        **pair,
        "prompt": pair["prompt"] or None,
        "source": source,
        "rejected_verdict": one.rejected_verdict,
        "warnings": note.warnings,
        "doubt": note.doubt,
    }
