"""Which iteration is promoted, by its validation score: never by the held-out tasks."""

from collections.abc import Sequence

from codelutra.evaluation import best_iteration
from codelutra.records import Scores
from pages.format import count, percent
from storage.trend import TrendPoint, Validation

MARK = '<span class="promoted">promoted</span>'


def promoted(points: Sequence[TrendPoint]) -> int | None:
    """None without any adapter that has a validation score; 0 when none of them beats the base."""
    scores = {p.iteration: _scores(p.validation) for p in points if p.validation}
    return best_iteration(scores) if any(number > 0 for number in scores) else None


def promotion(points: Sequence[TrendPoint], *, is_over: bool) -> str:
    """One sentence for the head of a page; '' where there is nothing to say."""
    number = promoted(points)
    best = next((p.validation for p in points if p.iteration == number), None)
    if number is None or best is None:
        return ""
    where = f"the {count(best.num_tasks)} validation tasks{'' if is_over else ' so far'}"
    if number == 0:
        return (
            f"No iteration beats the base model on {where} ({percent(best.pass_at_1)}): "
            "<b>none is promoted</b>."
        )
    return (
        f"<b>Iteration {number} is promoted</b>: best on {where}, <b>{percent(best.pass_at_1)}</b>."
    )


def _scores(found: Validation) -> Scores:
    return Scores(found.pass_at_1, (found.ci_low, found.ci_high), found.num_tasks, 0.0, {})
