"""Many prompts through several model states: the same sampling and grading as a run's evaluation.

Knows no database. On a run's own held-out tasks it draws the batches that the run drew, so that
greedy pass rates are those of the run to the last task.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codelutra.adapters import WEIGHTS
from codelutra.config import RefineConfig
from codelutra.drawing import request_of
from codelutra.evaluation import wilson_interval
from codelutra.generation import Engine, Policy
from codelutra.grading import Grader
from codelutra.model_states import ModelState
from codelutra.models import file_sha256, resolve_model
from codelutra.records import Adapter, Sample, VerdictKind
from codelutra.sandbox import Sandbox
from codelutra.tasks.task import Task

Report = Callable[[str, int, int], None]
FIELDS = ("task_id", "split", "state", "completion", "verdict", "detail", "seconds")


@dataclass(frozen=True)
class StateScore:
    """One state on all tasks; harness errors are left out of the share."""

    key: str
    label: str
    num_correct: int
    num_graded: int
    verdicts: dict[str, int]

    @property
    def pass_at_1(self) -> float:
        return self.num_correct / self.num_graded if self.num_graded else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        return wilson_interval(self.num_correct, self.num_graded)


@dataclass
class Batch:
    """`samples` by key of the state, each with its verdict, in the order of the tasks."""

    tasks: Sequence[Task]
    states: Sequence[ModelState]
    samples: dict[str, dict[str, Sample]] = field(default_factory=dict)

    def scores(self) -> list[StateScore]:
        return [_score(state, list(self.samples[state.key].values())) for state in self.states]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each task and state, as a table has them."""
        return [
            {
                "task_id": task.task_id,
                "split": task.split,
                "state": state.key,
                "completion": sample.completion,
                "verdict": sample.verdict.kind.value if sample.verdict else "",
                "detail": sample.verdict.detail if sample.verdict else "",
                "seconds": sample.verdict.seconds if sample.verdict else 0.0,
            }
            for task in self.tasks
            for state in self.states
            if (sample := self.samples[state.key].get(task.task_id))
        ]


def run_batch(
    states: Sequence[ModelState],
    tasks: Sequence[Task],
    config: RefineConfig,
    *,
    beside: Sequence[Task] = (),
    known: Batch | None = None,
    log: Path,
    report: Report = lambda state, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Batch:
    """One greedy program a task from each state, with `config`'s evaluation settings.

    `beside` are tasks that the run drew in the same batches: they are drawn, and left out.
    States that `known` has whole are not asked again. Raises StopRequested, and what loading a
    state brings.
    """
    batch = known or Batch(tasks, states)
    by_id = {task.task_id: task for task in tasks}
    request = request_of(config, "evaluate", 1, 0.0, config.seed)
    left_out = {task.task_id for task in beside}
    with Sandbox(config.sandbox) as sandbox, Engine() as engine:
        grader = Grader(sandbox)
        for state in states:
            if state.key in batch.samples and len(batch.samples[state.key]) == len(tasks):
                continue
            mine = batch.samples.setdefault(state.key, {})
            report(state.label, 0, len(tasks))
            for drawn in engine.generate(
                policy_of(state, config), [*beside, *tasks], request,
                batch_size=config.evaluation.batch_size, done=left_out, log=log,
                should_stop=should_stop,
            ):  # fmt: skip
                judged = [s for s in drawn.samples if by_id[s.task_id].gold]
                verdicts = grader.grade(by_id, judged, should_stop)
                mine |= {s.task_id: replace(s, verdict=verdicts.get(s.key)) for s in drawn.samples}
                report(state.label, len(mine), len(tasks))
            engine.hand_over()
    return batch


def policy_of(state: ModelState, config: RefineConfig) -> Policy:
    """Checked against what training recorded before it is loaded: another one is refused."""
    adapter = None
    if state.adapter:
        sha256 = state.sha256 or file_sha256(Path(state.adapter) / WEIGHTS)  # nobody recorded it
        adapter = Adapter(state.adapter, sha256, state.model, state.revision, "")
    return Policy(config.generation, resolve_model(state.model), adapter, config.chat_template)


def _score(state: ModelState, samples: Sequence[Sample]) -> StateScore:
    kinds = [sample.verdict.kind for sample in samples if sample.verdict]
    graded = [kind for kind in kinds if kind is not VerdictKind.HARNESS_ERROR]
    counts = {kind.value: kinds.count(kind) for kind in VerdictKind if kind in kinds}
    return StateScore(
        state.key, state.label, graded.count(VerdictKind.CORRECT), len(graded), counts
    )
