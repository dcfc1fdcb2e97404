"""Every number of the Trends charts as a table, a row a policy."""

from collections.abc import Mapping, Sequence

from pages.format import PHASES, count, duration, interval, percent, text
from pages.overlay import RunLine
from pages.promotion import MARK, promoted
from storage.trend import TrendPoint, Validation


def tables(lines: Sequence[RunLine]) -> str:
    """One a run, under its name where there are several."""
    parts = []
    for line in lines:
        name = f'<h5 class="of-run">{text(line.name)}</h5>' if len(lines) > 1 else ""
        tokens = {point.iteration: line.trained_tokens(point) for point in line.scored}
        if found := table(line.scored, tokens):
            parts.append(name + found)
    has_validation = any(point.validation for line in lines for point in line.scored)
    return "".join([*parts, about(has_validation)]) if parts else ""


def about(has_validation: bool) -> str:
    chosen = " The promoted iteration is chosen by validation alone." if has_validation else ""
    return (
        '<p class="faint">Sampled: the training programs drawn from that policy in the next '
        "iteration, so the newest policy has none yet. The last five columns are wall time."
        f"{chosen}</p>"
    )


def table(points: Sequence[TrendPoint], tokens: Mapping[int, int | None] | None = None) -> str:
    """Every number of the charts, and what each iteration cost."""
    if not points:
        return ""
    has_validation = any(point.validation for point in points)
    tokens = tokens or {}
    names = ["Policy", "pass@1", "95 % interval", "n", "Syntax errors, greedy",
             "Syntax errors, sampled", "Pairs", "Tokens trained on",
             *(f"{phase}" for phase in PHASES)]  # fmt: skip
    if has_validation:
        names.insert(4, "Validation pass@1")
    header = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    best = promoted(points)
    rows = "".join(
        _row(point, best, has_validation, tokens.get(point.iteration)) for point in points
    )
    return (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Numbers by iteration">'
        f'<table class="numbers"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )


def _row(point: TrendPoint, best: int | None, has_validation: bool, tokens: int | None) -> str:
    sampled = percent(point.sampled_syntax_error)
    if point.num_sampled:
        sampled += f' <small class="faint">n = {count(point.num_sampled)}</small>'
    cells = [
        percent(point.pass_at_1),
        interval(point.ci_low, point.ci_high),
        count(point.num_tasks or 0),
        *([_validation(point.validation)] if has_validation else []),
        percent(point.syntax_error),
        sampled,
        count(point.num_pairs) if point.iteration else percent(None),
        count(tokens) if tokens else percent(None),
        *(duration(point.seconds.get(phase)) for phase in PHASES),
    ]
    name = f"iteration {point.iteration}" if point.iteration else "base"
    is_best = bool(point.iteration) and point.iteration == best
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    mark, row = (f" {MARK}", '<tr data-promoted="yes">') if is_best else ("", "<tr>")
    return f'{row}<th scope="row">{name}{mark}</th>{body}</tr>'


def _validation(found: Validation | None) -> str:
    if found is None:
        return percent(None)
    return (
        f"{percent(found.pass_at_1)} <small>{interval(found.ci_low, found.ci_high)}, "
        f"n = {count(found.num_tasks)}</small>"
    )
