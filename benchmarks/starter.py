"""Does the loop refine the starter? `python -m benchmarks.starter [--quick] [--out FOLDER]`

Three seeds of four iterations with the product's defaults, then positives only (sft) and DPO
only on the very pairs and number of steps of each seed's first iteration. Resumable: the same
command goes on where it stopped.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import mean, median, stdev

from benchmarks.claims import Claim, finish
from benchmarks.starter_runs import Plan, draw, new_run, one_iteration_with
from codelutra.alerts import WINDOW, TrainingWatch
from codelutra.config import home
from codelutra.evaluation import paired_gain, pass_at_k
from codelutra.loop import refine
from codelutra.progress import ProgressBar
from codelutra.records import Sample, VerdictKind
from codelutra.run_folder import RunFolder
from codelutra.summary import promoted_iteration
from codelutra.tasks import load_tasks, select_tasks

T975 = {2: 4.303, 1: 12.706}  # Student's t, 95 % two-sided, by degrees of freedom


FULL = Plan(seeds=3, iterations=4, max_train=0, max_heldout=0)
QUICK = Plan(seeds=1, iterations=2, max_train=160, max_heldout=200)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, two short iterations")
    parser.add_argument("--out", type=Path, help="where the runs are kept")
    parser.add_argument("--seeds", type=int, help="fewer seeds than the plan's")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    plan = replace(plan, seeds=options.seeds or plan.seeds)
    out = options.out or home() / "benchmarks" / ("starter-quick" if options.quick else "starter")
    tasks = load_tasks("starter")
    runs = []
    with ProgressBar() as bar:
        for seed in range(plan.seeds):
            run = new_run(out / f"seed-{seed}", plan, seed, tasks, bar, mode="dual")
            refine(run, select_tasks(tasks, run.config))
            runs.append(run)
        _print_rounds(runs, plan)
        top_p = runs[0].config.sampling.top_p
        base = draw(runs[0], tasks, 0, top_p)
        last = [s for run in runs for s in draw(run, tasks, plan.iterations, top_p)]
        _print_unlimited(draw(runs[0], tasks, 0, 1.0), draw(runs[0], tasks, plan.iterations, 1.0))
        methods = {
            mode: one_iteration_with(out, plan, mode, runs, tasks, bar) for mode in ("sft", "dpo")
        }
    _print_methods({"dual": runs, **methods})
    _print_collapses(methods["dpo"])
    return finish(_claims(runs, base, last, plan))


def _correct(run: RunFolder, iteration: int) -> list[bool]:
    samples = sorted(run.samples(iteration, "heldout"), key=lambda s: s.task_id)
    return [_is(s, VerdictKind.CORRECT) for s in samples]


def _is(sample: Sample, kind: VerdictKind) -> bool:
    return sample.verdict is not None and sample.verdict.kind is kind


def _share(samples: Sequence[Sample], kind: VerdictKind) -> float:
    return mean(_is(s, kind) for s in samples)


def _pass_at_10(samples: Sequence[Sample]) -> float:
    correct: dict[str, int] = {}
    for sample in samples:
        correct[sample.task_id] = correct.get(sample.task_id, 0) + _is(sample, VerdictKind.CORRECT)
    return mean(pass_at_k(10, c, 10) for c in correct.values())


def _print_unlimited(base: Sequence[Sample], last: Sequence[Sample]) -> None:
    """The tail that the nucleus cuts off, of the first seed: no claim, for comparison."""
    before, after = (_share(s, VerdictKind.SYNTAX_ERROR) for s in (base, last))
    print(
        f"\nseed 0 sampled with top_p 1: syntax errors {before:.1%} (n = {len(base)}) -> "
        f"{after:.1%} (n = {len(last)}), pass@10 {_pass_at_10(base):.1%} -> "
        f"{_pass_at_10(last):.1%}"
    )


def _print_rounds(runs: Sequence[RunFolder], plan: Plan) -> None:
    print("\nseed  round  pass@1 [95 %]            n    gain [paired 95 %]       syntax (train")
    print("                                                                   samples, n)    pairs")
    for seed, run in enumerate(runs):
        base = _correct(run, 0)
        for number in range(plan.iterations + 1):
            scores = run.scores(number)
            assert scores
            gain, low, high = paired_gain(base, _correct(run, number))
            drawn = run.samples(number + 1, "train") if number < plan.iterations else []
            syntax = f"{_share(drawn, VerdictKind.SYNTAX_ERROR):6.1%} {len(drawn)}" if drawn else ""
            print(
                f"{seed:>4}  {number or 'base':>5}  {scores.pass_at_1:6.1%} "
                f"[{scores.ci95[0]:.1%}, {scores.ci95[1]:.1%}]  {scores.num_tasks:>4}  "
                f"{gain:+6.1%} [{low:+.1%}, {high:+.1%}]  {syntax:<13}"
                f"{len(run.pairs(number) or []) if number else '':>6}"
            )
        print(f"      promoted by validation: iteration {promoted_iteration(run)}")
    _print_time(runs, plan)
    _print_health(runs, plan)


def _print_time(runs: Sequence[RunFolder], plan: Plan) -> None:
    total = _seconds(runs, plan)
    print("\nshare of an iteration's time, mean over all iterations")
    for phase, seconds in total.items():
        rounds = len(runs) * plan.iterations
        print(f"  {phase:<9} {seconds / sum(total.values()):6.1%}  {seconds / rounds:7.1f} s")


def _print_health(runs: Sequence[RunFolder], plan: Plan) -> None:
    """How near the runs came to the bounds of the alerts: extremes of the means they look at."""
    log_ratios, margins, tokens = [], [], [0, 0]
    for run in runs:
        for number in range(1, plan.iterations + 1):
            steps = run.training_metrics(number)
            for end in range(WINDOW, len(steps) + 1):
                window = steps[end - WINDOW : end]
                margins.append(mean(step["rewards/margins"] for step in window))
                beta = run.config.training.beta
                log_ratios.append(mean(step["rewards/chosen"] for step in window) / beta)
            facts = run.training_facts(number)
            assert facts
            tokens[0] += facts.stock_tokens
            tokens[1] += facts.run_tokens
    print(
        f"\nof means of {WINDOW} steps: lowest log-ratio of the chosen {min(log_ratios):.1f} nats, "
        f"highest margin {max(margins):.1f}; {tokens[0] / tokens[1]:.1f} times fewer tokens than "
        "stock"
    )


def _seconds(runs: Sequence[RunFolder], plan: Plan) -> dict[str, float]:
    names = ("sample", "execute", "pair", "train", "evaluate")
    rounds = [run.seconds(number) for run in runs for number in range(1, plan.iterations + 1)]
    return {name: sum(r.get(name, 0.0) for r in rounds) for name in names}


def _rest(run: RunFolder, iteration: int) -> float:
    """Share of an iteration's time that is neither sampling nor training."""
    spent = run.seconds(iteration)
    return 1 - (spent["sample"] + spent["train"]) / sum(spent.values())


def _print_methods(methods: dict[str, list[RunFolder]]) -> None:
    """One iteration on equal pairs and steps; differences paired over tasks and seeds."""
    print("\nloss  pass@1 by seed           mean    minus dual [paired 95 %]   syntax errors")
    dual = [c for run in methods["dual"] for c in _correct(run, 1)]
    for mode, runs in methods.items():
        scores = [run.scores(1) for run in runs]
        each = "  ".join(f"{s.pass_at_1:6.1%}" for s in scores if s)
        mine = [c for run in runs for c in _correct(run, 1)]
        gain, low, high = paired_gain(dual, mine)
        syntax = mean(s.syntax_error for s in scores if s)
        print(
            f"{mode:<5} {each:<24} {mean(mine):6.1%}  {gain:+6.1%} [{low:+.1%}, {high:+.1%}]"
            f"   {syntax:6.1%}   (n = {len(mine)})"
        )


def _print_collapses(runs: Sequence[RunFolder]) -> None:
    """At which step the watch of the alerts would have spoken in each run, by today's bounds."""
    for seed, run in enumerate(runs):
        watch, steps = TrainingWatch(run.config.training), run.training_metrics(1)
        raised = [a for metrics in steps for a in watch.see(metrics["step"], metrics)]
        shown = ", ".join(f"{alert.kind} at step {alert.step}" for alert in raised)
        print(f"  DPO only, seed {seed}: {shown or 'no alert'} of {len(steps)} steps")


def _syntax_ratio(which: str, before: Sequence[Sample], after: Sequence[Sample]) -> float:
    shares = [_share(samples, VerdictKind.SYNTAX_ERROR) for samples in (before, after)]
    print(f"  {which}: {shares[0]:.2%} (n = {len(before)}) -> {shares[1]:.2%} (n = {len(after)})")
    return shares[1] / shares[0]


def _claims(
    runs: Sequence[RunFolder], base: Sequence[Sample], last: Sequence[Sample], plan: Plan
) -> list[Claim]:
    gains, best = [], 0.0
    for run in runs:
        scores = [run.scores(number) for number in range(plan.iterations + 1)]
        accuracy = [s.pass_at_1 for s in scores if s]
        gains.append(100 * (accuracy[-1] - accuracy[0]))
        best = max(best, *accuracy)
    base_scores = runs[0].scores(0)
    assert base_scores
    first_drawn = [s for run in runs for s in run.samples(1, "train")]
    last_drawn = [s for run in runs for s in run.samples(plan.iterations, "train")]
    if len(gains) > 1:
        half = T975[len(gains) - 1] * stdev(gains) / sqrt(len(gains))
        print(
            f"\ngain {mean(gains):.1f} points, 95 % [{mean(gains) - half:.1f}, "
            f"{mean(gains) + half:.1f}] over {len(gains)} seeds (Student's t)"
        )
    print("syntax errors in sampled programs")
    rest = median(_rest(run, t) for run in runs for t in range(1, plan.iterations + 1))
    alerts = [a for run in runs for t in range(1, plan.iterations + 1) for a in run.alerts(t)]
    for alert in alerts:
        print(f"  alert: {alert.seen}")
    return [
        Claim("alerts_of_healthy_runs", len(alerts), ceiling=0),
        Claim("gain_points", mean(gains), floor=25),
        Claim(
            "syntax_error_ratio",
            _syntax_ratio("the runs' own, first and last iteration", first_drawn, last_drawn),
            ceiling=1 / 3,
        ),
        Claim(
            "heldout_syntax_error_ratio",
            _syntax_ratio("held-out tasks, base and last policy", base, last),
            ceiling=1 / 3,
        ),
        Claim("base_pass_at_1", base_scores.pass_at_1, floor=0.25, ceiling=0.45),
        Claim("base_pass_at_10", _pass_at_10(base), floor=0.80),
        Claim("base_syntax_error", _share(base, VerdictKind.SYNTAX_ERROR), floor=0.05),
        Claim("best_pass_at_1", best, ceiling=0.95),
        Claim("rest_of_iteration", rest, ceiling=0.10),
    ]


if __name__ == "__main__":
    sys.exit(main())
