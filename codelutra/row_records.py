"""Rows of the database as the engine's records, and back."""

from typing import Any

from codelutra.records import PreferencePair, Sample, Verdict, VerdictKind
from codelutra.reviews import ReviewedPair
from storage import models, pair_models


def verdict_row(verdict: Verdict | None) -> dict[str, Any]:
    """The columns of storage.recording.LABEL."""
    if verdict is None:
        return {"verdict": None, "detail": "", "seconds": 0.0, "flaky": False, "output": "",
                "extraction": ""}  # fmt: skip
    return {
        "verdict": verdict.kind.value,
        "detail": verdict.detail,
        "seconds": verdict.seconds,
        "flaky": verdict.flaky,
        "output": verdict.output,
        "extraction": verdict.extraction,
    }


def pair_of(row: pair_models.PreferencePair) -> PreferencePair:
    indexes = (row.chosen_index, row.rejected_index)
    return PreferencePair(row.task_id, row.chosen, row.rejected, *indexes, row.prompt or "")


def reviewed_pair(row: pair_models.PreferencePair) -> ReviewedPair:
    is_edited = bool(row.chosen_trial_id or row.rejected_trial_id)
    return ReviewedPair(pair_of(row), row.state, is_edited, row.source, row.reason)


def source_of(pair: PreferencePair) -> str:
    return "gold" if pair.chosen_index is None else "sampled"


def sample_of(row: models.Sample) -> Sample:
    if row.verdict is None:
        return Sample(row.task_id, row.index, row.completion)
    verdict = Verdict(
        VerdictKind(row.verdict), row.detail, row.seconds, row.flaky, row.output, row.extraction
    )
    return Sample(row.task_id, row.index, row.completion, verdict)
