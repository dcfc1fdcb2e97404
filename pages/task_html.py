"""Task sets as HTML: the set's facts, its health, a page of its tasks, one task in full."""

from collections import Counter
from collections.abc import Sequence

from codelutra.tasks import Task
from codelutra.tasks.findings import NO_LABEL, PROBLEMS
from codelutra.tasks.stored import StoredSet
from pages.format import chip, count, duration, text
from pages.task_list import Listed
from storage import checks
from storage.models import TaskCheck, utc_now
from storage.run_status import UNDER_WAY, RunStatus

PREVIEW = 5  # tasks
MAX_LISTED = 5  # reasons, leaks
MAX_INPUTS, MAX_INPUT = 10, 400  # shown of a task, characters of one
NO_TASKS = '<p class="faint" data-state="empty">No task is like that. Widen the filter above.</p>'
CHOOSE = '<p class="faint" data-state="empty">Choose a task to see what the model reads.</p>'


def facts(rows: Sequence[Listed], stored: StoredSet | None) -> str:
    """The split, how many are in quarantine, where the set came from."""
    lines = [split([row.task for row in rows])]
    if away := sum(row.quarantine is not None for row in rows):
        lines.append(f"<b>{count(away)} in quarantine</b>: new runs leave them out")
    if stored:
        lines += origin(stored, sum(row.task.split == "heldout" for row in rows))
    return as_lines(lines)


def split(tasks: Sequence[Task]) -> str:
    heldout = sum(task.split == "heldout" for task in tasks)
    kinds = ", ".join(sorted({task.kind for task in tasks}))
    one_side = "" if 0 < heldout < len(tasks) else " <b>(a run needs both: split by task)</b>"
    return (
        f"<b>{count(len(tasks))} tasks</b> ({text(kinds)}) of {families_of(tasks)}: "
        f"{count(len(tasks) - heldout)} to train on, {count(heldout)} held out"
        f"{one_side}"
    )


def families_of(tasks: Sequence[Task]) -> str:
    number = len({task.family for task in tasks})
    return "one family" if number == 1 else f"{count(number)} families"


def as_lines(lines: Sequence[str]) -> str:
    return '<div class="facts">' + "".join(f"<div>{line}</div>" for line in lines) + "</div>"


def origin(stored: StoredSet, num_heldout: int) -> list[str]:
    options = stored.options
    lines = [
        f"from <code>{text(stored.source)}</code> ({text(stored.format)}), split by "
        f"{text(options.split_by)}, {options.heldout_share:.0%} held out, seed {options.seed}, "
        f"compared as <code>{text(options.match)}</code>"
    ]
    for reason, number in Counter(stored.left_out.values()).most_common(MAX_LISTED):
        lines.append(f"left out: {count(number)} tasks, {text(reason)}")
    if stored.leaks:
        away = len({leak.heldout_id for leak in stored.leaks})
        lines.append(
            f"<b>{count(away)} of {count(num_heldout)} held-out tasks are given away</b> by "
            "training tasks (the same gold, or nearly the same words): import again without those"
        )
        lines += [
            f"<code>{text(leak.train_id)}</code> gives <code>{text(leak.heldout_id)}</code> away: "
            f"{text(leak.reason)}"
            for leak in stored.leaks[:MAX_LISTED]
        ]
    return lines


def preview(tasks: Sequence[Task], stored: StoredSet) -> str:
    """What an import would keep, with the first prompts exactly as the model reads them."""
    prompts = "".join(
        f'<li><code>{text(task.task_id)}</code> <span class="faint">{text(task.split)}, '
        f"{text(task.family)}</span><pre>{text(task.prompt)}</pre></li>"
        for task in tasks[:PREVIEW]
    )
    lines = [split(tasks), *origin(stored, sum(task.split == "heldout" for task in tasks))]
    return (
        f'<div class="panel" data-state="preview">{as_lines(lines)}'
        f'<ol class="programs">{prompts}</ol></div>'
    )


def health(
    rows: Sequence[Listed],
    check: TaskCheck | None,
    status: RunStatus | None,
    ended: TaskCheck | None,
) -> str:
    """How far the newest check is, and what was found by the newest one that ended."""
    news = ""
    if check and status in UNDER_WAY:
        news = progress(check, status)
    elif check and status is RunStatus.FAILED:
        reason = text(checks.error(check))
        news = f'<div class="note bad" role="alert">The check failed: {reason}</div>'
    elif status is RunStatus.CANCELLED:
        news = '<div class="note warn">The last check was cancelled.</div>'
    return news + checked(ended) + found(rows)


def progress(check: TaskCheck, status: RunStatus) -> str:
    share = 100 * check.done / max(1, check.total)
    return (
        f'<div class="progress" data-state="{status}"><div class="where">{chip(status)} '
        f"{count(check.done)} of {count(check.total)} golds</div>"
        f'<div class="bar"><i style="width:{share:.1f}%"></i></div></div>'
    )


def found(rows: Sequence[Listed]) -> str:
    """A line a problem, with what a click does about it."""
    lines = []
    for problem, meaning in PROBLEMS.items():
        having = [row for row in rows if problem in row.problems]
        free = sum(row.quarantine is None for row in having)
        if not having:
            continue
        button = (
            f'<button class="small" data-quarantine="{problem}">Quarantine {count(free)}</button>'
            if free
            else '<span class="faint">all in quarantine</span>'
        )
        mark = "bad" if problem in NO_LABEL else "warn"
        lines.append(
            f'<li data-problem="{problem}"><b class="{mark}">{count(len(having))} '
            f"{text(problem.replace('_', ' '))}</b> {button}"
            f'<div class="faint">{text(meaning)}</div></li>'
        )
    return f'<ul class="problems">{"".join(lines)}</ul>' if lines else ""


def checked(check: TaskCheck | None) -> str:
    """When the findings are of, and how many golds have none."""
    if check is None or check.finished_at is None:
        return '<p class="faint">Nobody has run the golds of this set as it is now.</p>'
    bad = len({one["task_id"] for one in check.findings or []})
    ago = duration((utc_now() - check.finished_at).total_seconds())
    return (
        f'<p class="faint" data-checked="{check.id}">{count(check.total - bad)} of '
        f"{count(check.total)} golds have nothing against them; checked {ago} ago.</p>"
    )


def table(rows: Sequence[Listed], shown_id: str | None) -> str:
    if not rows:
        return NO_TASKS
    names = ("Task", "Split", "Family", "Tags", "Solved", "Gold")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(_row(row, row.task.task_id == shown_id) for row in rows)
    return (
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Tasks">'
        f'<table class="numbers tasks"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def where(first: int, last: int, number: int) -> str:
    shown = f"{count(first + 1)} to {count(last)} of {count(number)}" if number else "none"
    return f'<p class="faint" data-found="{number}">{shown}</p>'


def _row(row: Listed, is_shown: bool) -> str:
    task = row.task
    marks = [text(problem.replace("_", " ")) for problem in row.problems]
    if row.quarantine is not None:
        marks.insert(0, "<b>quarantined</b>")
    cells = (
        task.split,
        text(task.family) if task.family != task.task_id else "",
        text(", ".join(task.tags)),
        solved(row),
        ", ".join(marks),
    )
    name = f'<button class="link" data-task="{text(task.task_id)}">{text(task.task_id)}</button>'
    shown = ' class="shown"' if is_shown else ""
    return f'<tr{shown}><th scope="row">{name}</th>' + "".join(f"<td>{c}</td>" for c in cells)


def solved(row: Listed) -> str:
    if not row.graded:
        return '<span class="faint">not tried</span>'
    return f"{count(row.solved)} of {count(row.graded)}"


def detail(row: Listed | None) -> str:
    """One task: what the model reads, what it never sees, and what is known of it."""
    if row is None:
        return CHOOSE
    task = row.task
    notes = [
        f'<div class="note {"bad" if name in NO_LABEL else "warn"}"><b>'
        f"{text(name.replace('_', ' '))}</b>: {text(reason)}</div>"
        for name, reason in row.problems.items()
    ]
    if row.quarantine is not None:
        why = row.quarantine or "no reason was given"
        notes.insert(0, f'<div class="note warn"><b>In quarantine</b>: {text(why)}</div>')
    about = [text(part) for part in (task.split, task.family, *task.tags) if part]
    return (
        f'<section class="panel" data-task-shown="{text(task.task_id)}"><header class="run-head">'
        f'<h3>{text(task.task_id)}</h3><span class="faint">'
        f"{' · '.join((*about, f'solved: {solved(row)}'))}</span>"
        f'</header>{"".join(notes)}<div class="label">The model reads</div>'
        f'<pre class="code">{text(task.prompt)}</pre>'
        f"<details><summary>What it never sees: gold and tests</summary>{_hidden(task)}</details>"
        "</section>"
    )


def _hidden(task: Task) -> str:
    parts = {
        "gold": task.gold,
        "tests": "\n".join(task.tests),
        "inputs": task.setup,
        "calls": _some_of(task.inputs),
        "stdin": _some_of(task.stdin),
        "database": task.database,
    }
    return "".join(
        f'<div class="label">{name}</div><pre class="code">{text(part)}</pre>'
        for name, part in parts.items()
        if part
    )


def _some_of(inputs: Sequence[str]) -> str:
    """The first few, each in short: a published set has thousands, of any length."""
    shown = [
        each if len(each) <= MAX_INPUT else each[:MAX_INPUT] + "…" for each in inputs[:MAX_INPUTS]
    ]
    more = len(inputs) - len(shown)
    return "\n".join([*shown, f"… and {count(more)} more"] if more else shown)
