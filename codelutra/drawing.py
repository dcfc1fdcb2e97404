"""Programs from a policy into the ledger, graded beside as far as that comes.

What the ledger holds is not drawn again, so a drawing may be interrupted and called again.
"""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from codelutra.config import EvaluationConfig, RefineConfig, SamplingConfig
from codelutra.generation import Drawn, Engine, GenerationRequest, Policy
from codelutra.grading import Grader
from codelutra.grading_beside import GradingBeside
from codelutra.ledger import Ledger
from codelutra.models import resolve_model
from codelutra.tasks.task import Task


def request_of(
    config: RefineConfig, phase: str, num_samples: int, temperature: float, seed: int
) -> GenerationRequest:
    return GenerationRequest(
        num_samples=num_samples,
        temperature=temperature,
        top_p=config.sampling.top_p if phase == "sample" else 1.0,
        max_new_tokens=_settings(config, phase).max_new_tokens,
        seed=seed,
        stop=config.stop_strings,
    )


def draw(
    ledger: Ledger,
    tasks: Sequence[Task],
    iteration: int,
    phase: str,
    request: GenerationRequest,
    grader: Grader,
    engine: Engine,
    first_index: int = 0,
) -> None:
    """Training samples come from the previous policy, all others from this iteration's."""
    by_id = {task.task_id: task for task in tasks}
    splits = sorted({task.split for task in tasks})
    last = first_index + request.num_samples - 1
    held = {
        s.key
        for split in splits
        for s in ledger.samples(iteration, split)
        if s.task_id in by_id and first_index <= s.index <= last
    }
    total = len(tasks) * request.num_samples
    ledger.report(iteration, phase, len(held), total)
    config = ledger.config
    policy = Policy(
        backend=config.generation,
        model=resolve_model(config.model),
        adapter=ledger.adapter(iteration - 1 if phase == "sample" else iteration),
        chat_template=config.chat_template,
    )
    sums = Drawn()
    started = monotonic()
    with GradingBeside(grader, by_id) as beside:
        for drawn in engine.generate(
            policy,
            tasks,
            request,
            batch_size=_settings(config, phase).batch_size,
            done={task_id for task_id in by_id if (task_id, last) in held},
            log=ledger.folder / "logs" / f"{iteration}-{phase}.log",
            should_stop=ledger.stop_requested,
            on_note=lambda note: ledger.log(f"iteration {iteration}: {note}"),
        ):
            samples = [replace(s, index=first_index + s.index) for s in drawn.samples]
            for split in splits:
                mine = [s for s in samples if by_id[s.task_id].split == split]
                ledger.add_samples(iteration, split, mine)
                beside.take(split, mine)
            ledger.add_seconds(iteration, phase, 0.0, drawn.num_tokens)
            for split, verdicts in beside.finished():
                ledger.add_verdicts(iteration, split, verdicts)
            held |= {s.key for s in samples}
            sums += drawn
            ledger.report(iteration, phase, len(held), total)
        for split, verdicts in beside.rest(ledger.stop_requested):
            ledger.add_verdicts(iteration, split, verdicts)
    if sums.samples:
        ledger.log(f"iteration {iteration}: {sums.in_words(monotonic() - started)}")


def _settings(config: RefineConfig, phase: str) -> SamplingConfig | EvaluationConfig:
    return config.sampling if phase == "sample" else config.evaluation
