"""A page of the list of pairs, the run's progress, and what review changed, as HTML."""

from collections.abc import Sequence

from pages.format import count, text
from pages.pair_html import SOURCES, STATE_WORDS
from pages.pair_look import Shown
from pages.programs import verdict
from storage.models import Iteration
from storage.pair_queue import COUNTED, FOUND, Row

NAMES = ("Pair", "State", "Rejected is", "Task", "Look twice", "Iteration")


def table(shown: Shown) -> str:
    if not shown.rows:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in NAMES)
    body = "".join(_row(row, row.id == shown.look.pair_id) for row in shown.rows)
    return (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Pairs">'
        f'<table class="numbers tasks pairs"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def _row(row: Row, is_shown: bool) -> str:
    warned = ", ".join(kind.replace("_", " ") for kind in row.warnings)
    cells = (
        f"{STATE_WORDS[row.state]}{f' ({text(row.reviewer)})' if row.reviewer else ''}",
        verdict(row.rejected_verdict) if row.rejected_verdict else SOURCES.get(row.source, ""),
        f"<code>{text(row.task_id)}</code>",
        text(warned),
        str(row.iteration),
    )
    name = f'<button class="link" data-open="{row.id}">{row.id}</button>'
    mark = ' class="shown" aria-current="true"' if is_shown else ""
    return f'<tr{mark}><th scope="row">{name}</th>' + "".join(f"<td>{c}</td>" for c in cells)


def where(shown: Shown) -> str:
    """How many the filter shows, and which page of them this is."""
    number = bounded(shown.counted)
    page = f", page {len(shown.look.pages) + 1}" if shown.has_more or shown.look.pages else ""
    among = f" among the newest {count(FOUND)} with these words" if shown.is_cut else ""
    return f'<p class="faint" data-found="{shown.counted}">{number} like this{among}{page}</p>'


def bounded(number: int) -> str:
    return f"more than {count(COUNTED)}" if number > COUNTED else count(number)


def progress(shown: Shown) -> str:
    """How far the run's review is."""
    if shown.run is None:
        return ""
    return (
        f'<p class="faint" data-progress>Run {shown.run.id}: {bounded(shown.decided)} decided, '
        f"{bounded(shown.pending)} undecided. Undecided and skipped pairs train, too.</p>"
    )


def effects(iterations: Sequence[Iteration]) -> str:
    """What review changed of the pairs that each iteration trained on."""
    rows = [
        f'<tr data-effect="{one.number}"><th scope="row">{one.number}</th>'
        + "".join(f"<td>{count(one.review[name])}</td>" for name in COLUMNS)
        + f"<td>{_reasons(one.review.get('reasons', {}))}</td></tr>"
        for one in iterations
        if one.review
    ]
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS.values())
    return (
        '<h4 class="caption">What review changed <small>of the pairs that an iteration trained on'
        '</small></h4><div class="table-scroll"><table class="numbers"><thead><tr>'
        f'<th scope="col">Iteration</th>{head}<th scope="col">Vetoed for</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


COLUMNS = {
    "num_pairs": "Pairs before",
    "num_looked_at": "Looked at",
    "num_removed": "Removed",
    "num_flipped": "Flipped",
    "num_edited": "Edited",
    "num_added": "Added",
    "lost_tasks": "Tasks left without",
}


def _reasons(reasons: dict[str, int]) -> str:
    return text(", ".join(f"{name.replace('_', ' ')} {number}" for name, number in reasons.items()))
