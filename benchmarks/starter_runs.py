"""The runs of `benchmarks.starter`: a seed's, its ablations, and what its policies draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codelutra import phases
from codelutra.config import RefineConfig
from codelutra.generation import Engine, GenerationRequest, Policy
from codelutra.grading import Grader
from codelutra.models import resolve_model
from codelutra.progress import ProgressBar
from codelutra.records import Sample
from codelutra.run_folder import RunFolder
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, select_tasks


@dataclass(frozen=True)
class Plan:
    seeds: int
    iterations: int
    max_train: int
    max_heldout: int


def new_run(
    folder: Path, plan: Plan, seed: int, tasks: Sequence[Task], bar: ProgressBar, mode: str
) -> RunFolder:
    config = RefineConfig.for_model(
        "starter",
        seed=seed,
        iterations=plan.iterations if mode == "dual" else 1,
        max_train=plan.max_train,
        max_heldout=plan.max_heldout,
        training={"mode": mode},
    )
    return RunFolder(folder, config, bar.report)


def draw(run: RunFolder, tasks: Sequence[Task], iteration: int, top_p: float) -> list[Sample]:
    """Ten programs a held-out task at temperature 1 from the policy of an iteration."""
    kept = RunFolder(run.folder / f"sampled-top-p-{top_p:g}", run.config)
    heldout = [t for t in select_tasks(tasks, run.config) if t.split == "heldout"]
    sampling = run.config.sampling
    policy = Policy(
        run.config.generation,
        resolve_model("starter"),
        run.adapter(iteration),
        run.config.chat_template,
    )
    request = GenerationRequest(10, 1.0, top_p, sampling.max_new_tokens, 1_000 + run.config.seed)
    with Engine() as engine:
        for drawn in engine.generate(
            policy,
            heldout,
            request,
            batch_size=sampling.batch_size,
            done={s.task_id for s in kept.samples(iteration, "heldout") if s.index == 9},
            log=run.folder / "logs" / "sampled.log",
            should_stop=lambda: False,
        ):
            kept.add_samples(iteration, "heldout", drawn.samples)
    ungraded = [s for s in kept.samples(iteration, "heldout") if s.verdict is None]
    with Sandbox(run.config.sandbox) as sandbox:
        by_id = {task.task_id: task for task in heldout}
        kept.add_verdicts(iteration, "heldout", Grader(sandbox).grade(by_id, ungraded))
    return kept.samples(iteration, "heldout")


def one_iteration_with(
    out: Path,
    plan: Plan,
    mode: str,
    runs: Sequence[RunFolder],
    tasks: Sequence[Task],
    bar: ProgressBar,
) -> list[RunFolder]:
    """The first iteration again from the same samples and pairs, with another loss."""
    ablations = []
    for seed, run in enumerate(runs):
        other = new_run(out / f"seed-{seed}-{mode}", plan, seed, tasks, bar, mode)
        other.add_pairs(1, run.pairs(1) or [])
        mine = select_tasks(tasks, other.config)
        phases.train(other, mine, 1, Engine())
        with Sandbox(other.config.sandbox) as sandbox, Engine() as engine:
            phases.evaluate(other, mine, 1, Grader(sandbox), engine)
        ablations.append(other)
    return ablations
