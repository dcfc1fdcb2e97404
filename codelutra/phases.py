"""The phases of an iteration, each from the ledger to the ledger.

Iteration t samples from the policy of t - 1 (0 is the base model), trains policy t and scores
it. A phase returns nothing that matters: what it made is in the ledger.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from codelutra import alerts, low_yield, smoke
from codelutra.drawing import draw, request_of
from codelutra.evaluation import correct_tasks, gain_on_both, iterations_without_gain, score
from codelutra.generation import Engine
from codelutra.grading import Grader
from codelutra.ledger import Ledger
from codelutra.pair_warnings import warn
from codelutra.pairing import build_pairs
from codelutra.records import Alert, Split
from codelutra.reviews import Vetoes
from codelutra.summary import count_flaky
from codelutra.tasks.quarantine import quarantined
from codelutra.tasks.task import Task
from codelutra.token_counts import token_counter
from codelutra.training import train_adapter

GRADED_AT_ONCE = 400  # samples whose verdicts are stored together
SPLIT_NAMES = {"validation": "validation", "heldout": "held-out"}


def sample(
    ledger: Ledger, tasks: Sequence[Task], iteration: int, grader: Grader, engine: Engine
) -> None:
    """Draw n programs for each training task from the policy of the previous iteration.

    They are graded beside it, as far as that comes.
    """
    config = ledger.config.sampling_of(iteration)
    seed = _seed(ledger, iteration)
    request = request_of(ledger.config, "sample", config.num_samples, config.temperature, seed)
    with _Timed(ledger, iteration, "sample"):
        mine = list(_by_id(tasks, "train").values())
        draw(ledger, mine, iteration, "sample", request, grader, engine)


def execute(ledger: Ledger, tasks: Sequence[Task], iteration: int, grader: Grader) -> None:
    """Run every training sample in the sandbox and store its verdict."""
    with _Timed(ledger, iteration, "execute"):
        _grade(ledger, tasks, "train", iteration, "execute", grader)


def sample_more(
    ledger: Ledger, tasks: Sequence[Task], iteration: int, grader: Grader, engine: Engine
) -> None:
    """On a low yield: further programs for the tasks still unsolved, at a raised temperature."""
    config = ledger.config.sampling_of(iteration)
    drawn = ledger.samples(iteration, "train")
    if config.extra_samples == 0 or not low_yield.is_low(drawn, config):
        return
    share = low_yield.first_yield(drawn, config)
    ledger.log(f"iteration {iteration}: low yield, {share:.1%} of the first samples are correct")
    train_tasks = list(_by_id(tasks, "train").values())
    for wave, temperature in enumerate(low_yield.wave_temperatures(config)):
        first = config.num_samples + wave * config.extra_samples
        drawn = ledger.samples(iteration, "train")
        open_tasks = low_yield.unsolved(train_tasks, drawn, before=first)
        seed = _seed(ledger, iteration) + 5_003 * (wave + 1)
        request = request_of(ledger.config, "sample", config.extra_samples, temperature, seed)
        with _Timed(ledger, iteration, "sample"):
            draw(ledger, open_tasks, iteration, "sample", request, grader, engine, first)
        with _Timed(ledger, iteration, "execute"):
            _grade(ledger, tasks, "train", iteration, "execute", grader)
        drawn = ledger.samples(iteration, "train")
        left = low_yield.unsolved(open_tasks, drawn, before=first + config.extra_samples)
        ledger.log(
            f"iteration {iteration}: {config.extra_samples} more programs for each of "
            f"{len(open_tasks)} unsolved tasks at temperature {temperature:g}: "
            f"{len(open_tasks) - len(left)} of them solved"
        )


def pair(ledger: Ledger, tasks: Sequence[Task], iteration: int) -> None:
    """Make preference pairs of correct and incorrect programs of the same task."""
    if ledger.pairs(iteration) is not None:
        return
    with _Timed(ledger, iteration, "pair"):
        samples = ledger.samples(iteration, "train")
        train_tasks = _by_id(tasks, "train")
        if low_yield.is_low(samples, ledger.config.sampling):
            train_tasks = low_yield.order_by_ease(train_tasks, samples)
        away = quarantined(ledger.config.tasks)  # since the run began, too
        trusted = {key: task for key, task in train_tasks.items() if key not in away}
        vetoes, seed = Vetoes(ledger.vetoes()), _seed(ledger, iteration)
        pairs = build_pairs(trusted, samples, ledger.config.pairing, seed, vetoes)
        for alert in alerts.of_pairs(iteration, len(trusted), samples, pairs):
            _raise(ledger, iteration, alert)
        max_length = ledger.config.training.max_length
        count_tokens = token_counter(ledger.config.model)
        notes = warn(pairs, samples, trusted, count_tokens, max_length)
        ledger.add_pairs(iteration, pairs, notes)
        ledger.report(iteration, "pair", 1, 1)
    flaky = count_flaky(samples)
    left_out = f" ({flaky} flaky ones left out)" if flaky else ""
    ledger.log(f"iteration {iteration}: {len(pairs)} pairs from {len(samples)} samples{left_out}")


def review(ledger: Ledger, iteration: int, engine: Engine) -> None:
    """Where the run is to wait for people: stop it here, once an iteration."""
    is_done = ledger.adapter(iteration) or not ledger.pairs(iteration)
    if ledger.config.pause_before_training and not is_done:
        engine.hand_over()
        ledger.wait_for_review(iteration)


def train(ledger: Ledger, tasks: Sequence[Task], iteration: int, engine: Engine) -> None:
    """Train the next adapter on the pairs, continuing the previous one."""
    engine.hand_over()  # what it holds of the GPU is needed here
    if ledger.adapter(iteration):
        return
    config = ledger.config
    if config.smoke and not ledger.pairs(iteration):
        ledger.log(smoke.NO_PAIR)
        return
    known = [alert.kind for alert in ledger.alerts(iteration)]
    watch = alerts.TrainingWatch(config.training, known)

    def on_step(step: int, steps: int, metrics: dict[str, Any]) -> None:
        ledger.report(iteration, "train", step, steps)
        if metrics:
            ledger.add_training_metrics(iteration, step, metrics)
            for alert in watch.see(step, metrics):
                _raise(ledger, iteration, alert)

    drawn = ledger.samples(iteration, "train")
    pairs = ledger.training_pairs(iteration)
    reviewed = ledger.review_facts(iteration)
    if reviewed and reviewed.num_looked_at + reviewed.num_added:
        ledger.log(f"iteration {iteration}: {reviewed.words}")
    with _Timed(ledger, iteration, "train"):
        ledger.report(iteration, "train", 0, 0)
        adapter = train_adapter(
            _by_id(tasks, "train"),
            pairs,
            config.model_copy(update={"training": config.training_of(iteration)}),
            parent=ledger.adapter(iteration - 1) if iteration > 1 else None,
            in_order=low_yield.is_low(drawn, config.sampling),
            out=ledger.folder / f"adapter-{iteration}",
            log=_log(ledger, iteration, "train"),
            on_step=on_step,
            on_facts=lambda facts: ledger.add_training_facts(iteration, facts),
            should_stop=ledger.stop_requested,
        )
        ledger.add_adapter(iteration, adapter)
    facts = ledger.training_facts(iteration)
    if facts and facts.num_dropped:
        ledger.log(
            f"iteration {iteration}: {facts.num_dropped} pairs longer than "
            f"{config.training.max_length} tokens were left out of the training"
        )
    if facts and facts.fallback:
        ledger.log(f"iteration {iteration}: stock TRL batches, {facts.fallback}")
    ledger.log(f"iteration {iteration}: trained adapter {adapter.sha256[:12]}")


def evaluate(
    ledger: Ledger, tasks: Sequence[Task], iteration: int, grader: Grader, engine: Engine
) -> None:
    """Score the policy of this iteration: one greedy program per validation and held-out task."""
    if ledger.scores(iteration):
        return
    request = request_of(ledger.config, "evaluate", 1, 0.0, ledger.config.seed)
    scored: tuple[Split, ...] = ("validation", "heldout")
    with _Timed(ledger, iteration, "evaluate"):
        mine = [task for task in tasks if task.split in scored]
        draw(ledger, mine, iteration, "evaluate", request, grader, engine)
        for split in scored:
            _grade(ledger, tasks, split, iteration, "evaluate", grader)
            if samples := ledger.samples(iteration, split):
                ledger.add_scores(iteration, score(samples), split)
    if iteration:
        before, after = (ledger.samples(i, "heldout") for i in (iteration - 1, iteration))
        for alert in alerts.of_scores(before, after):
            _raise(ledger, iteration, alert)
    for split in scored:
        if scores := ledger.scores(iteration, split):
            low, high = scores.ci95
            ledger.log(
                f"iteration {iteration}: {SPLIT_NAMES[split]} pass@1 {scores.pass_at_1:.1%} "
                f"[{low:.1%}, {high:.1%}], n = {scores.num_tasks}, "
                f"syntax errors {scores.syntax_error:.1%}"
            )


def should_stop_early(ledger: Ledger, iteration: int) -> bool:
    """Whether the last `patience` iterations showed no gain on validation tasks."""
    config = ledger.config
    if config.stop == "fixed":
        return False
    solved = [correct_tasks(ledger.samples(i, "validation")) for i in range(iteration + 1)]
    if not all(solved):
        return False
    gains = [gain_on_both(before, after) for before, after in pairwise(solved)]
    if iterations_without_gain(gains) < config.patience:
        return False
    gain, low, high = gains[-1]
    ledger.log(
        f"stopped after iteration {iteration}: the gain on validation tasks, {100 * gain:+.1f} "
        f"points [{100 * low:+.1f}, {100 * high:+.1f}], may be chance"
    )
    return True


def _raise(ledger: Ledger, iteration: int, alert: Alert) -> None:
    if ledger.config.smoke:  # a task or two say nothing about a run
        return
    if alert.kind not in {known.kind for known in ledger.alerts(iteration)}:
        ledger.add_alert(iteration, alert)
        ledger.log(f"iteration {iteration}: ALERT {alert.seen}")


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
