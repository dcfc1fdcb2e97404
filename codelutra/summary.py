"""A finished or half-finished run as one JSON object: what `refine --json` writes."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from codelutra.evaluation import best_iteration
from codelutra.ledger import Ledger
from codelutra.records import PreferencePair, Sample, Scores, VerdictKind


def run_summary(ledger: Ledger) -> dict[str, Any]:
    """{"run", "base", "iterations"}; iterations that have no score yet are left out."""
    base = ledger.scores(0)
    rounds = range(1, ledger.config.iterations + 1)
    return {
        "run": {
            "folder": str(ledger.folder),
            "config": ledger.config.model_dump(mode="json"),
            **asdict(ledger.trust()),
            "promoted": promoted_iteration(ledger),
        },
        "base": _heldout(ledger, 0, base) if base else None,
        "iterations": [
            _iteration(ledger, number, scores)
            for number in rounds
            if (scores := ledger.scores(number))
        ],
    }


def promoted_iteration(ledger: Ledger) -> int | None:
    """The best by validation, 0 for the base; None for a run without validation tasks."""
    scores = {n: ledger.scores(n, "validation") for n in range(ledger.config.iterations + 1)}
    return best_iteration({n: found for n, found in scores.items() if found})


def _iteration(ledger: Ledger, number: int, scores: Scores) -> dict[str, Any]:
    adapter, facts = ledger.adapter(number), ledger.training_facts(number)
    samples, pairs = ledger.samples(number, "train"), ledger.pairs(number) or []
    validation = ledger.scores(number, "validation")
    return {
        "iteration": number,
        "heldout": _heldout(ledger, number, scores),
        "validation": asdict(validation) if validation else None,
        "samples": _sampled(samples),
        "yield": yield_funnel(samples, pairs, facts.num_pairs if facts else None),
        "pairs": len(pairs),
        "training": asdict(facts) if facts else None,
        "alerts": [asdict(alert) for alert in ledger.alerts(number)],
        "adapter": adapter.path if adapter else None,
        "seconds": {name: round(s, 2) for name, s in ledger.seconds(number).items()},
        "tokens": ledger.tokens(number),
    }


def yield_funnel(
    samples: list[Sample], pairs: list[PreferencePair], num_fitting: int | None
) -> dict[str, Any]:
    """From tasks to the pairs that were trained on; `after_length` is None before training."""
    kinds: dict[str, set[bool]] = {}
    graded = 0
    for sample in samples:
        mine = kinds.setdefault(sample.task_id, set())
        if sample.verdict and sample.verdict.kind is not VerdictKind.HARNESS_ERROR:
            graded += 1
            if not sample.verdict.flaky:
                mine.add(sample.verdict.kind is VerdictKind.CORRECT)
    return {
        "tasks": len(kinds),
        "samples": len(samples),
        "graded": graded,
        "tasks_with_both": sum(len(mine) == 2 for mine in kinds.values()),
        "pairs": len(pairs),
        "after_length": num_fitting,
    }


def _heldout(ledger: Ledger, number: int, scores: Scores) -> dict[str, Any]:
    return {
        "pass@1": scores.pass_at_1,
        "ci95": list(scores.ci95),
        "n": scores.num_tasks,
        "syntax_error": scores.syntax_error,
        "verdicts": scores.verdicts,
        "flaky": count_flaky(ledger.samples(number, "heldout")),
    }


def _sampled(samples: list[Sample]) -> dict[str, Any]:
    counts = Counter(s.verdict.kind for s in samples if s.verdict)
    graded = counts.total() - counts[VerdictKind.HARNESS_ERROR]
    return {
        "n": graded,
        "correct": counts[VerdictKind.CORRECT] / graded if graded else 0.0,
        "syntax_error": counts[VerdictKind.SYNTAX_ERROR] / graded if graded else 0.0,
        "verdicts": {kind.value: counts[kind] for kind in VerdictKind if counts[kind]},
        "flaky": count_flaky(samples),
    }


def count_flaky(samples: list[Sample]) -> int:
    return sum(sample.verdict is not None and sample.verdict.flaky for sample in samples)
