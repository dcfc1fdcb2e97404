"""A program that a person wants run, kept in the database: what the worker does of a trial."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from codelutra.config import RefineConfig, SandboxConfig
from codelutra.errors import TaskError
from codelutra.grading import Grader
from codelutra.records import Sample, Verdict, VerdictKind
from codelutra.sandbox import Sandbox
from codelutra.tasks import load_tasks
from codelutra.tasks.task import Task
from storage import db, queries, reviews, trials
from storage.pair_models import PreferencePair, Trial


def run_trial(trial_id: int) -> None:
    """Run it as often as asked, and do with the pair what the verdicts allow."""
    with db.open_session() as session:
        trial = trials.get(session, trial_id=trial_id)
        config = _sandbox_config(session, trial)
    if trial.finished_at:
        return
    verdicts = _verdicts(trial, _task(trial), config)
    with db.open_session() as session:
        outcome = _heed(session, trial, verdicts)
        rows = [_row(verdict) for verdict in verdicts]
        trials.finish(session, trial_id=trial_id, results=rows, outcome=outcome)


def _verdicts(trial: Trial, task: Task, config: SandboxConfig) -> list[Verdict]:
    sample = Sample(task.task_id, 0, trial.completion)
    with Sandbox(config) as sandbox:
        # A new grader each time: one remembers what it has run.
        graders = [Grader(sandbox) for _ in range(trial.repeats)]
        return [g.grade({task.task_id: task}, [sample])[sample.key] for g in graders]


def _heed(session: Session, trial: Trial, verdicts: Sequence[Verdict]) -> str:
    """What became of the trial, in a sentence."""
    kinds = {verdict.kind for verdict in verdicts}
    is_flaky = len(kinds) > 1 or any(verdict.flaky for verdict in verdicts)
    found = ", ".join(sorted(kind.value.replace("_", " ") for kind in kinds))
    if not trial.is_edit:
        return _heed_repeats(session, trial, kinds, is_flaky, found)
    if VerdictKind.HARNESS_ERROR in kinds:
        return f"not taken: the sandbox failed ({verdicts[0].detail})"
    if is_flaky:
        return f"not taken: its verdict is chance ({found})"
    is_correct = kinds == {VerdictKind.CORRECT}
    if is_correct != (trial.side == "chosen"):
        wanted = "correct" if trial.side == "chosen" else "incorrect"
        return f"not taken: it is {found}, and the {trial.side} program must be {wanted}"
    assert trial.pair_id
    assert trial.id
    try:
        reviews.edit(
            session, pair_id=trial.pair_id, version=trial.pair_version, side=trial.side,
            text=trial.completion, trial_id=trial.id, reviewer=trial.reviewer,
        )  # fmt: skip
    except reviews.Conflict as conflict:
        return f"not taken: {conflict}"
    return f"taken as the {trial.side} program: it is {found}"


def _heed_repeats(
    session: Session, trial: Trial, kinds: set[VerdictKind], is_flaky: bool, found: str
) -> str:
    before = _recorded(session, trial)
    times = f"run {trial.repeats} more times"
    if not is_flaky and (not before or kinds == {before}):
        return f"{times}: {found} every time"
    if trial.pair_id:
        trials.mark_flaky(session, pair_id=trial.pair_id)
    was = f" (it was {before.replace('_', ' ')})" if before else ""
    return f"{times}: {found}{was}. The verdict is chance: veto the pair"


def _recorded(session: Session, trial: Trial) -> str:
    """The verdict by which the side's program came into the pair; '' for one from elsewhere."""
    pair = session.get(PreferencePair, trial.pair_id) if trial.pair_id else None
    if pair is None:
        return ""
    edited = getattr(pair, f"{trial.side}_trial_id")
    if edited:
        return str((trials.get(session, trial_id=edited).results or [{}])[0].get("verdict", ""))
    is_gold = pair.source == "gold"
    if trial.side == "chosen":
        return VerdictKind.CORRECT.value if pair.chosen_index is not None or is_gold else ""
    return pair.rejected_verdict


def _sandbox_config(session: Session, trial: Trial) -> SandboxConfig:
    """As the pair's run has it."""
    pair = session.get(PreferencePair, trial.pair_id) if trial.pair_id else None
    run = queries.get_run(session, run_id=pair.run_id) if pair else None
    return RefineConfig.model_validate(run.config).sandbox if run else SandboxConfig()


def _task(trial: Trial) -> Task:
    for task in load_tasks(trial.tasks):
        if task.task_id == trial.task_id:
            return task
    raise TaskError(f"{trial.tasks} has no task {trial.task_id!r} any more: it cannot be run")


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.kind.value,
        "detail": verdict.detail,
        "seconds": verdict.seconds,
        "output": verdict.output,
        "extraction": verdict.extraction,
        "flaky": verdict.flaky,
    }
