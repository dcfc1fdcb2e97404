"""The charts of a report, from the rows of a run's summary."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from codelutra.records import VerdictKind
from codelutra.svg_charts import Line, Part, Point, line_chart, shares, stacked_bars

VERDICT_COLOURS = {  # Okabe and Ito's, as on the dashboard
    VerdictKind.CORRECT: "#009e73",
    VerdictKind.WRONG_RESULT: "#e69f00",
    VerdictKind.SYNTAX_ERROR: "#cc5500",
    VerdictKind.RUNTIME_ERROR: "#b5609a",
    VerdictKind.TIMEOUT: "#56b4e9",
    VerdictKind.FORBIDDEN: "#0072b2",
    VerdictKind.NO_CODE: "#8a8f98",
    VerdictKind.HARNESS_ERROR: "#4b5563",
}
PHASE_COLOURS = {
    "sample": "#2f5fd0",
    "execute": "#7fa1ee",
    "pair": "#8a8f98",
    "train": "#2a9d8f",
    "evaluate": "#a8842c",
}


def charts(policies: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Title and SVG of each."""
    labels = [str(policy["iteration"] or "base") for policy in policies]
    held = [policy["heldout"] for policy in policies]
    title = "Held-out accuracy: pass@1 with its 95 % band"
    yield title, line_chart(title, labels, [_accuracy(held)])
    title = "Syntax errors: share of programs that do not parse"
    yield title, line_chart(title, labels, _syntax(policies))
    title = "Verdicts on held-out tasks"
    rows = [each["verdicts"] for each in held]
    yield title, stacked_bars(title, labels, _kinds(rows))
    title = "Time by phase, minutes"
    seconds = [policy.get("seconds", {}) for policy in policies]
    parts = [
        Part(phase, colour, [each.get(phase, 0) / 60 for each in seconds], hatch=phase == "execute")
        for phase, colour in PHASE_COLOURS.items()
    ]
    if any(value for part in parts for value in part.values):
        yield title, stacked_bars(title, labels, parts, unit=" min")


def _accuracy(held: Sequence[Mapping[str, Any]]) -> Line:
    points = [
        Point(i, 100 * each["pass@1"], *(100 * end for end in each["ci95"]))
        for i, each in enumerate(held)
    ]
    return Line("held-out, greedy", points)


def _syntax(policies: Sequence[Mapping[str, Any]]) -> list[Line]:
    """What iteration p + 1 sampled is of policy p."""
    greedy = [Point(i, 100 * p["heldout"]["syntax_error"]) for i, p in enumerate(policies)]
    sampled = [
        Point(i, 100 * after["samples"]["syntax_error"]) for i, after in enumerate(policies[1:])
    ]
    lines = [Line("held-out, greedy", greedy), Line("training, sampled", sampled)]
    return [line for line in lines if line.points]


def _kinds(rows: Sequence[Mapping[str, int]]) -> list[Part]:
    return [
        Part(kind.replace("_", " "), colour, shares(rows, kind), hatch=kind != VerdictKind.CORRECT)
        for kind, colour in VERDICT_COLOURS.items()
        if any(row.get(kind) for row in rows)
    ]
