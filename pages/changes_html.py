"""What changed between two policies, as HTML: the sentence, the flip matrix, groups, programs."""

from collections.abc import Sequence
from itertools import islice

from codelutra.tasks import Task
from pages.comparison import CELLS, KINDS, MAX_GROUPS, Comparison, Group
from pages.format import VERDICTS, count, percent, points, signed_interval, text
from pages.programs import evidence, verdict
from storage.flips import Flip
from storage.models import Sample

PAGE = 20  # tasks
TITLES = {"fixed": "fixed", "broken": "broken", "right": "still right", "wrong": "still wrong"}
SIGNS = {"fixed": "+", "broken": "−", "right": "✓", "wrong": "✗"}


def gain_in_words(group: Group) -> str:
    """+7.5 points, 95 % interval +3.1 to +11.9, 200 tasks."""
    n = len(group.flips)
    tasks = "1 task" if n == 1 else f"{count(n)} tasks"
    return f"{points(group.gain)}, 95 % interval {signed_interval(*group.interval)}, {tasks}"


def sentence(found: Comparison, run_id: int) -> str:
    before, after = found.before.name(run_id), found.after.name(run_id)
    names = f"From <b>{text(before)}</b> to <b>{text(after)}</b>: "
    if not found.flips:
        return (
            f'<div class="note bad" role="alert">{names}nothing to compare. The two were graded on '
            f"{count(found.num_before)} and {count(found.num_after)} held-out tasks and have "
            "<b>none in common</b>: choose runs on the same task set.</div>"
        )
    low, high = found.whole.interval
    doubt = "" if low > 0 or high < 0 else " It may be chance: the interval holds zero."
    notes = [f"{names}<b>{gain_in_words(found.whole)}</b>.{doubt}"]
    n = len(found.flips)
    if (found.num_before, found.num_after) != (n, n):
        notes.append(
            f"Compared are the {count(n)} tasks that both were graded on, of "
            f"{count(found.num_before)} and {count(found.num_after)}."
        )
    if found.other_set:
        notes.append(
            f"The runs name different task sets (the second: {text(found.other_set)}); tasks of "
            "the same id are taken for the same."
        )
    return f'<div class="note" data-gain>{" ".join(notes)}</div>'


def matrix(whole: Group, chosen: str) -> str:
    """The four cells, each a button that lists its tasks."""

    def cell(name: str) -> str:
        pressed = "true" if name == chosen else "false"
        return (
            f'<td><button class="flip {name}" data-cell="{name}" data-group="" '
            f'aria-pressed="{pressed}"><b>{count(whole.count(name))}</b> '
            f"<span>{SIGNS[name]} {TITLES[name]}</span></button></td>"
        )

    return (
        '<table class="flips" aria-label="Tasks by what became of them"><thead><tr><td></td>'
        '<th scope="col">right after</th><th scope="col">wrong after</th></tr></thead><tbody>'
        f'<tr><th scope="row">right before</th>{cell("right")}{cell("broken")}</tr>'
        f'<tr><th scope="row">wrong before</th>{cell("fixed")}{cell("wrong")}</tr>'
        "</tbody></table>"
    )


def breakdown(found: Comparison, by: str) -> str:
    return kinds(found) if by == KINDS else groups(found.breakdowns.get(by, []), by)


def groups(found: Sequence[Group], by: str) -> str:
    names = (by.capitalize(), "n", "Before", "After", "Gain, 95 % interval", *TITLES.values())
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    rows = "".join(_group(group) for group in islice(found, MAX_GROUPS))
    left = len(found) - MAX_GROUPS
    more = f'<p class="faint">{count(left)} smaller groups are left out.</p>' if left > 0 else ""
    return (
        f'<div class="table-scroll" tabindex="0" role="region" aria-label="Changes by {text(by)}">'
        f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{more}"
    )


def _group(group: Group) -> str:
    n = len(group.flips)
    before = group.count("right") + group.count("broken")
    after = group.count("right") + group.count("fixed")
    cells = [
        count(n),
        percent(before / n),
        percent(after / n),
        f"{points(group.gain)} <small>{signed_interval(*group.interval)}</small>",
        *(_number(group.count(cell), cell, group.name) for cell in CELLS),
    ]
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{text(group.name)}</th>{body}</tr>'


def kinds(found: Comparison) -> str:
    """Verdicts before by verdicts after: what the errors became."""
    pairs: dict[tuple[str, str], int] = {}
    for flip in found.flips:
        pairs[flip.before, flip.after] = pairs.get((flip.before, flip.after), 0) + 1
    seen = {kind for pair in pairs for kind in pair}
    shown = [kind for kind in VERDICTS if kind in seen]
    head = "".join(f'<th scope="col">{verdict(kind)}</th>' for kind in shown)
    rows = "".join(
        f'<tr><th scope="row">{verdict(before)}</th>'
        + "".join(
            f"<td>{_number(pairs.get((before, after), 0), '', f'{before}>{after}')}</td>"
            for after in shown
        )
        + "</tr>"
        for before in shown
    )
    corner = '<th scope="col">before ↓ &nbsp; after →</th>'
    return (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Verdicts, was and is">'
        f'<table class="numbers kinds"><thead><tr>{corner}{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _number(number: int, cell: str, group: str) -> str:
    if not number:
        return '<span class="faint">0</span>'
    data = f'data-cell="{cell}" data-group="{text(group)}"'
    return f'<button class="link" {data}>{count(number)}</button>'


def task_list(flips: Sequence[Flip], title: str, page: int, shown: str) -> str:
    """One page of the tasks behind a number, each a button."""
    first = max(0, min(page, (len(flips) - 1) // PAGE)) * PAGE
    items = "".join(
        f"<li{' class=shown' if flip.task_id == shown else ''}>"
        f'<button class="link" data-changed="{text(flip.task_id)}">{text(flip.task_id)}</button> '
        f"{verdict(flip.before)} → {verdict(flip.after)}</li>"
        for flip in flips[first : first + PAGE]
    )
    last = min(first + PAGE, len(flips))
    pages = ""
    if len(flips) > PAGE:
        pages = f" {_step('Previous', first // PAGE - 1, first > 0)}" + _step(
            "Next", first // PAGE + 1, last < len(flips)
        )
    where = f"{count(first + 1)} to {count(last)} of {count(len(flips))}" if flips else "none"
    return (
        f'<h4 class="caption">{text(title)} <small>{where}</small>{pages}</h4>'
        f'<ol class="changed">{items}</ol>'
    )


def _step(name: str, page: int, is_there: bool) -> str:
    off = "" if is_there else " disabled"
    return f'<button class="small" data-page="{page}"{off}>{name}</button>'


def programs(task_id: str, task: Task | None, sides: Sequence[tuple[str, Sample | None]]) -> str:
    """The prompt and both programs with their evidence; all that a model wrote is escaped."""
    prompt = (
        f'<pre class="code">{text(task.prompt)}</pre>'
        if task
        else '<p class="faint">The set has no such task any more, so its prompt is not known.</p>'
    )
    both = "".join(
        f"<div><h5>{text(name)}</h5>{evidence(sample) if sample else 'no program'}</div>"
        for name, sample in sides
    )
    return (
        f'<section class="panel" data-changed-shown="{text(task_id)}">'
        f'<h4 class="caption">{text(task_id)}</h4><div class="label">The model reads</div>{prompt}'
        f'<div class="sides">{both}</div></section>'
    )
