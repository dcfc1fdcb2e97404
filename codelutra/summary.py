"""A finished or half-finished run as one JSON object: what `refine --json` writes."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from codelutra.ledger import Ledger
from codelutra.records import Sample, Scores, VerdictKind


def run_summary(ledger: Ledger) -> dict[str, Any]:
    """{"run", "base", "iterations"}; iterations that have no score yet are left out."""
    base = ledger.scores(0)
    rounds = range(1, ledger.config.iterations + 1)
    return {
        "run": {
            "folder": str(ledger.folder),
            "config": ledger.config.model_dump(mode="json"),
            **asdict(ledger.trust()),
        },
        "base": _heldout(ledger, 0, base) if base else None,
        "iterations": [
            _iteration(ledger, number, scores)
            for number in rounds
            if (scores := ledger.scores(number))
        ],
    }


def _iteration(ledger: Ledger, number: int, scores: Scores) -> dict[str, Any]:
    adapter = ledger.adapter(number)
    return {
        "iteration": number,
        "heldout": _heldout(ledger, number, scores),
        "samples": _sampled(ledger.samples(number, "train")),
        "pairs": len(ledger.pairs(number) or []),
        "adapter": adapter.path if adapter else None,
        "seconds": {name: round(s, 2) for name, s in ledger.seconds(number).items()},
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
