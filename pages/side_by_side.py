"""Several runs side by side: how they ended, and the settings that differ. Empty for one run."""

from collections.abc import Sequence

from pydantic import ValidationError
from sqlmodel import Session

from codelutra.config import RefineConfig
from codelutra.config_rows import Difference, differences
from pages.format import NO_VALUE, caption, chip, count, duration, interval, percent, text
from pages.overlay import RunLine
from pages.promotion import promoted
from storage import queries
from storage.trend import TrendPoint


def side_by_side(session: Session, lines: Sequence[RunLine]) -> str:
    if len(lines) < 2:
        return ""
    return (
        f"{caption('Runs side by side', 'how they ended, and the settings that differ')}"
        f"{_results(lines)}{_settings(session, lines)}"
    )


def _results(lines: Sequence[RunLine]) -> str:
    names = ("Run", "Status", "Base", "Newest", "Promoted", "Pairs", "Time")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_result(line) for line in lines)
    return _table(
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", "Results of the runs", "results"
    )


def _result(line: RunLine) -> str:
    scored = line.scored
    best = promoted(line.points)
    of_best = next((point for point in scored if best and point.iteration == best), None)
    seconds = sum(sum(point.seconds.values()) for point in line.points)
    cells = [
        chip(line.row.status),
        _score(scored[0] if scored else None),
        _score(scored[-1] if len(scored) > 1 else None),
        _score(of_best) if of_best else ("none" if best == 0 else NO_VALUE),
        count(sum(point.num_pairs for point in line.points)),
        duration(seconds) if seconds else NO_VALUE,
    ]
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    look = f'<i class="run-sign" style="background:{line.look.colour}"></i>'
    return f'<tr><th scope="row">{look}{text(line.name)}</th>{body}</tr>'


def _score(point: TrendPoint | None) -> str:
    if point is None:
        return NO_VALUE
    name = f"iteration {point.iteration}: " if point.iteration else ""
    return (
        f"{name}{percent(point.pass_at_1)} <small>{interval(point.ci_low, point.ci_high)}, "
        f"n = {count(point.num_tasks or 0)}</small>"
    )


def _settings(session: Session, lines: Sequence[RunLine]) -> str:
    configs, unread = [], []
    for line in lines:
        run = queries.get_run(session, run_id=line.row.id)
        try:
            configs.append(RefineConfig.model_validate(run.config if run else {}))
        except ValidationError:  # of a version that had other settings
            unread.append(line.row.id)
    if unread:
        of = ", ".join(f"run {number}" for number in unread)
        return f'<p class="faint">The settings of {of} are of another version: not compared.</p>'
    found = differences(configs)
    if not found:
        return '<p class="faint">Their settings are the same.</p>'
    runs = "".join(f'<th scope="col">run {line.row.id}</th>' for line in lines)
    rows = "".join(map(_setting, found))
    return _table(
        f'<thead><tr><th scope="col">Setting that differs</th>{runs}</tr></thead>'
        f"<tbody>{rows}</tbody>",
        "Settings that differ",
        "differing",
    )


def _setting(found: Difference) -> str:
    about = f'<small class="faint">{text(found.description)}</small>'
    values = "".join(f"<td>{_value(value)}</td>" for value in found.values)
    return f'<tr><th scope="row"><code>{text(found.path)}</code> {about}</th>{values}</tr>'


def _value(value: object) -> str:
    if value is None:
        return '<span class="faint">not its own</span>'  # of another backend
    if isinstance(value, tuple) and len(value) > 5:
        return f"{count(len(value))} of them"
    return text(", ".join(map(str, value)) if isinstance(value, tuple) else value) or "none"


def _table(body: str, label: str, kind: str) -> str:
    return (
        f'<div class="table-scroll" tabindex="0" role="region" aria-label="{label}">'
        f'<table class="numbers {kind}">{body}</table></div>'
    )
