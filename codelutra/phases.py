"""The five phases of an iteration, each from the ledger to the ledger.

Iteration t samples from the policy of t - 1 (0 is the base model), trains policy t and scores
it. A phase returns nothing that matters: what it made is in the ledger.
"""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from codelutra.evaluation import score
from codelutra.generation import GenerationRequest, generate
from codelutra.grading import Grader
from codelutra.ledger import Ledger
from codelutra.models import resolve_model
from codelutra.pairing import build_pairs
from codelutra.records import Split
from codelutra.summary import count_flaky
from codelutra.tasks.task import Task
from codelutra.training import train_adapter

GRADED_AT_ONCE = 400  # samples whose verdicts are stored together


def sample(ledger: Ledger, tasks: Sequence[Task], iteration: int) -> None:
    """Draw n programs for each training task from the policy of the previous iteration."""
    config = ledger.config.sampling
    request = GenerationRequest(
        num_samples=config.num_samples,
        temperature=config.temperature,
        top_p=config.top_p,
        max_new_tokens=config.max_new_tokens,
        seed=_seed(ledger, iteration),
    )
    with _Timed(ledger, iteration, "sample"):
        _generate(ledger, tasks, "train", iteration, request, config.batch_size)


def execute(ledger: Ledger, tasks: Sequence[Task], iteration: int, grader: Grader) -> None:
    """Run every training sample in the sandbox and store its verdict."""
    with _Timed(ledger, iteration, "execute"):
        _grade(ledger, tasks, "train", iteration, "execute", grader)


def pair(ledger: Ledger, tasks: Sequence[Task], iteration: int) -> None:
    """Make preference pairs of correct and incorrect programs of the same task."""
    if ledger.pairs(iteration) is not None:
        return
    with _Timed(ledger, iteration, "pair"):
        samples = ledger.samples(iteration, "train")
        train_tasks = _by_id(tasks, "train")
        pairs = build_pairs(train_tasks, samples, ledger.config.pairing, _seed(ledger, iteration))
        ledger.add_pairs(iteration, pairs)
        ledger.report(iteration, "pair", 1, 1)
    flaky = count_flaky(samples)
    left_out = f" ({flaky} flaky ones left out)" if flaky else ""
    ledger.log(f"iteration {iteration}: {len(pairs)} pairs from {len(samples)} samples{left_out}")


def train(ledger: Ledger, tasks: Sequence[Task], iteration: int) -> None:
    """Train the next adapter on the pairs, continuing the previous one."""
    if ledger.adapter(iteration):
        return

    def on_step(step: int, steps: int, metrics: dict[str, Any]) -> None:
        ledger.report(iteration, "train", step, steps)
        if metrics:
            ledger.add_training_metrics(iteration, step, metrics)

    with _Timed(ledger, iteration, "train"):
        ledger.report(iteration, "train", 0, 0)
        adapter = train_adapter(
            _by_id(tasks, "train"),
            ledger.pairs(iteration) or [],
            ledger.config,
            parent=ledger.adapter(iteration - 1) if iteration > 1 else None,
            out=ledger.folder / f"adapter-{iteration}",
            log=_log(ledger, iteration, "train"),
            on_step=on_step,
            should_stop=ledger.stop_requested,
        )
        ledger.add_adapter(iteration, adapter)
    ledger.log(f"iteration {iteration}: trained adapter {adapter.sha256[:12]}")


def evaluate(ledger: Ledger, tasks: Sequence[Task], iteration: int, grader: Grader) -> None:
    """Score the policy of this iteration: one greedy program per held-out task."""
    if ledger.scores(iteration):
        return
    config = ledger.config.evaluation
    request = GenerationRequest(1, 0.0, 1.0, config.max_new_tokens, ledger.config.seed)
    with _Timed(ledger, iteration, "evaluate"):
        _generate(ledger, tasks, "heldout", iteration, request, config.batch_size)
        _grade(ledger, tasks, "heldout", iteration, "evaluate", grader)
        scores = score(ledger.samples(iteration, "heldout"))
        ledger.add_scores(iteration, scores)
    low, high = scores.ci95
    ledger.log(
        f"iteration {iteration}: held-out pass@1 {scores.pass_at_1:.1%} "
        f"[{low:.1%}, {high:.1%}], n = {scores.num_tasks}, "
        f"syntax errors {scores.syntax_error:.1%}"
    )


def _generate(
    ledger: Ledger,
    tasks: Sequence[Task],
    split: Split,
    iteration: int,
    request: GenerationRequest,
    batch_size: int,
) -> None:
    """Training samples come from the previous policy, held-out ones from this iteration's."""
    phase = "sample" if split == "train" else "evaluate"
    mine = list(_by_id(tasks, split).values())
    held = {s.key for s in ledger.samples(iteration, split)}
    done = {t.task_id for t in mine if (t.task_id, request.num_samples - 1) in held}
    ledger.report(iteration, phase, len(held), len(mine) * request.num_samples)
    adapter = ledger.adapter(iteration - 1 if split == "train" else iteration)
    for samples in generate(
        mine,
        request,
        policy={
            "backend": ledger.config.generation.model_dump(),
            "model": resolve_model(ledger.config.model),
            "adapter": adapter.path if adapter else "",
            "chat_template": ledger.config.chat_template,
        },
        batch_size=batch_size,
        done=done,
        log=_log(ledger, iteration, phase),
        should_stop=ledger.stop_requested,
    ):
        ledger.add_samples(iteration, split, samples)
        held |= {s.key for s in samples}
        ledger.report(iteration, phase, len(held), len(mine) * request.num_samples)


def _grade(
    ledger: Ledger,
    tasks: Sequence[Task],
    split: Split,
    iteration: int,
    phase: str,
    grader: Grader,
) -> None:
    samples = ledger.samples(iteration, split)
    ungraded = [s for s in samples if s.verdict is None]
    graded = len(samples) - len(ungraded)
    ledger.report(iteration, phase, graded, len(samples))
    by_id = _by_id(tasks, split)
    for start in range(0, len(ungraded), GRADED_AT_ONCE):
        batch = ungraded[start : start + GRADED_AT_ONCE]
        verdicts = grader.grade(by_id, batch, ledger.stop_requested)
        ledger.add_verdicts(iteration, split, verdicts)
        graded += len(verdicts)
        ledger.report(iteration, phase, graded, len(samples))


def _by_id(tasks: Sequence[Task], split: Split) -> dict[str, Task]:
    return {task.task_id: task for task in tasks if task.split == split}


def _seed(ledger: Ledger, iteration: int) -> int:
    # Wide apart, so that no chunk of one iteration shares its seed with a chunk of another.
    return ledger.config.seed * 1_000_003 + iteration * 10_007


def _log(ledger: Ledger, iteration: int, phase: str) -> Path:
    return ledger.folder / "logs" / f"{iteration}-{phase}.log"


class _Timed:
    """Adds the wall seconds of a block to a phase, also when the block is interrupted."""

    def __init__(self, ledger: Ledger, iteration: int, phase: str) -> None:
        self.ledger, self.iteration, self.phase = ledger, iteration, phase

    def __enter__(self) -> None:
        self.started = monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ledger.add_seconds(self.iteration, self.phase, monotonic() - self.started)
