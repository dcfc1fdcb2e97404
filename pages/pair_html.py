"""A pair in full, as HTML: the task, both programs, their evidence, and what may be done."""

from collections.abc import Sequence

from codelutra.pair_warnings import MEANING, PairWarning
from codelutra.records import VerdictKind
from codelutra.reviews import VETO_REASONS
from codelutra.tasks import Task
from pages.code_html import plain
from pages.code_html import visible as visible_line
from pages.format import count, duration, percent, text
from pages.pair_controls import actions, editor
from pages.pair_diff import side_by_side
from pages.pair_look import Shown, Who, prompt_of
from pages.programs import found_by, verdict
from storage import trials
from storage.models import Sample, utc_now
from storage.pair_models import PreferencePair, Review, Trial
from storage.pairs import Evidence, held_since
from storage.run_status import UNDER_WAY

EMPTY = """<section class="panel empty" data-state="empty"><h3>No pair yet</h3>
<p>A preference pair is a correct and an incorrect program for the same task. An iteration makes
them from what it sampled, a minute or two after it began: start a run on the Refine tab, and tick
<b>Pause before training</b> there if you want to look at them before the model learns from
them.</p></section>"""
DONE = """<section class="panel empty" data-state="done"><h3>Nothing is left here</h3>
<p>No pair is like the filter says. Choose another state or <button class="link" data-do="all">show
all pairs of this run</button>; <kbd>u</kbd> takes your last decision back.</p></section>"""
STATE_WORDS = {
    "pending": "undecided", "kept": "kept", "vetoed": "vetoed", "flipped": "flipped",
    "skipped": "skipped",
}  # fmt: skip
SOURCES = {
    "sampled": "sampled", "gold": "the gold as chosen", "imported": "imported",
    "compare": "from Compare",
}  # fmt: skip
MAX_SHOWN = 2_000  # characters of what a program printed
LAST_LINES = 12  # of a prompt that are shown unfolded
LONG_PROMPT = 1_200  # characters


def focus(shown: Shown, history: Sequence[Review], tried: Sequence[Trial]) -> str:
    """The whole view; `tried` holds the newest trial of each side."""
    found = shown.evidence
    if shown.run is None:
        return EMPTY
    if found is None:
        return _waiting(shown) + DONE
    pair = found.pair
    prompt, task = prompt_of(shown.run, pair)
    kind = task.kind if task else "python"
    left, right = _sides(pair)
    return (
        f'<section class="panel pair" data-pair="{pair.id}" data-version="{pair.version}" '
        f'data-pair-state="{pair.state}">{_waiting(shown)}{_head(found, shown.look.who)}'
        f"{_marks(found)}"
        f"{_prompt(prompt, task, kind)}"
        f"{side_by_side(getattr(pair, left), getattr(pair, right), kind)}"
        f'<div class="evidence">{_evidence(found, left, "chosen", tried)}'
        f"{_evidence(found, right, 'rejected', tried)}</div>"
        f"{actions(pair, can_run=task is not None)}{editor(pair, task)}"
        f"{_history(history)}</section>"
    )


def _waiting(shown: Shown) -> str:
    if not shown.awaits_review_of or not shown.run:
        return ""
    return (
        f'<div class="note warn" data-waiting>Run {shown.run.id} waits for review before it trains '
        f"iteration {shown.awaits_review_of}. "
        '<button class="act" data-do="resume">Go on with the training</button></div>'
    )


def _sides(pair: PreferencePair) -> tuple[str, str]:
    """The columns that hold what counts as chosen and as rejected."""
    return ("rejected", "chosen") if pair.state == "flipped" else ("chosen", "rejected")


def _head(found: Evidence, who: Who) -> str:
    pair = found.pair
    held = ""
    if since := held_since(pair, who.holder):
        ago = duration((utc_now() - since).total_seconds())
        held = (
            f'<div class="note warn" data-held><b>{text(pair.holder.split("#")[0])}</b> opened '
            f"this pair {ago} ago and may be deciding on it.</div>"
        )
    by = f" by {text(pair.reviewer)}" if pair.reviewer and pair.state != "pending" else ""
    reason = VETO_REASONS.get(pair.reason, pair.reason)  # type: ignore[call-overload]
    why = f" ({text(reason)})" if pair.reason else ""
    edited = pair.chosen_trial_id or pair.rejected_trial_id
    late = (
        '<div class="faint" data-late>This iteration has begun to train: what you decide now '
        "counts for the later ones.</div>"
        if found.has_trained
        else ""
    )
    return (
        f'<header class="run-head"><h3>Pair {pair.id}</h3>'
        f'<span class="chip pair-{pair.state}" data-shown-state>{STATE_WORDS[pair.state]}</span>'
        f'<span class="faint">{by}{why}{" · edited" if edited else ""}</span>'
        f'<span class="faint">iteration {found.iteration} · {SOURCES.get(pair.source, "")} · '
        f"<code>{text(pair.task_id)}</code></span></header>{held}{late}"
    )


def _marks(found: Evidence) -> str:
    """The warnings, each with its meaning."""
    items = "".join(
        f'<li data-warning="{text(kind)}"><b>{text(kind.replace("_", " "))}</b> '
        f"{text(MEANING[PairWarning(kind)])}</li>"
        for kind in found.warnings
    )
    return f'<ul class="marks">{items}</ul>' if items else ""


def _prompt(prompt: str, task: Task | None, kind: str) -> str:
    lines = prompt.rstrip("\n").split("\n")
    is_long = len(lines) > LAST_LINES or len(prompt) > LONG_PROMPT
    tail = "\n".join(lines[-LAST_LINES:])[-LONG_PROMPT:]
    whole = (
        f"<details><summary>Everything the model reads ({count(len(prompt))} characters)"
        f'</summary><pre class="code">{visible(prompt)}</pre></details>'
        if is_long
        else ""
    )
    gold = (
        f"<details data-gold><summary>Gold <kbd>g</kbd></summary>{plain(task.gold, kind)}</details>"
        if task
        else '<p class="faint">The task set does not hold this task: it cannot be run here.</p>'
    )
    label = "The model reads, at the end" if is_long else "The model reads"
    return (
        f'<div class="label">{label}</div><pre class="code prompt">{visible(tail)}</pre>'
        f"{whole}{gold}"
    )


def _evidence(found: Evidence, column: str, role: str, tried: Sequence[Trial]) -> str:
    """Who wrote one side's program, and what its execution showed."""
    pair = found.pair
    trial_id = getattr(pair, f"{column}_trial_id")
    newest = next((trial for trial in tried if trial.side == column), None)
    if trial_id and newest and newest.id == trial_id:
        body = _of_trial(newest, "written by a person, and run")
    elif trial_id:
        body = '<p class="faint">Written by a person; it was run before it was taken.</p>'
    else:
        sample = found.chosen if column == "chosen" else found.rejected
        body = _of_sample(found, sample, column)
    running = _running(newest) if newest and newest.id != trial_id else ""
    return f'<section data-evidence="{role}"><h4>{role.capitalize()}</h4>{body}{running}</section>'


def _of_sample(found: Evidence, sample: Sample | None, column: str) -> str:
    pair = found.pair
    if sample is None:
        if pair.source == "gold" and column == "chosen":
            return "<p>The task's own gold: no program of this iteration was correct.</p>"
        return f"<p>{SOURCES.get(pair.source, '').capitalize()}: not written by this run.</p>"
    if found.writer:
        writer = (
            f"adapter of iteration {found.iteration - 1} "
            f"(<code>{text(found.writer.sha256[:12])}</code>)"
        )
    else:
        writer = "base model"
    kind = sample.verdict or VerdictKind.HARNESS_ERROR.value
    solved = f"{found.num_correct} of {found.num_graded}"
    share = percent(found.num_correct / found.num_graded, 0) if found.num_graded else ""
    return (
        f"{verdict(kind)}{_why(sample.detail)}{found_by(sample.extraction)}"
        f"{_printed(sample.output)}"
        f'<p class="faint">{1000 * sample.seconds:.1f} ms of CPU time · program '
        f"{sample.index + 1}, drawn from the {writer} · {solved} programs for this task are "
        f"correct ({share})</p>"
    )


def _of_trial(trial: Trial, what: str) -> str:
    result = (trial.results or [{}])[0]
    shown = verdict(result["verdict"]) if "verdict" in result else ""
    return (
        f"{shown}{_why(result.get('detail', ''))}{_printed(result.get('output', ''))}"
        f'<p class="faint">{what} by {text(trial.reviewer)}</p>'
    )


def _running(trial: Trial) -> str:
    """A program that somebody has run now, or had run."""
    status = trials.status(trial)
    what = "The edited program" if trial.is_edit else "This program again"
    if status in UNDER_WAY:
        words = f"{what}: {'waits for the worker' if status == 'queued' else 'is being run'} …"
        return f'<p class="note" data-trial="running">{words}</p>'
    if not trial.finished_at:
        return f'<p class="note bad" data-trial="failed">{what} could not be run: see the log.</p>'
    is_good = trial.outcome.startswith("taken") or "every time" in trial.outcome
    found = ""
    if trial.is_edit and not is_good:
        result = (trial.results or [{}])[0]
        found = f"{verdict(result['verdict'])}{_why(result.get('detail', ''))}" if result else ""
    return (
        f'<div class="note {"good" if is_good else "warn"}" data-trial="finished">{what}: '
        f"{text(trial.outcome)}.{found}</div>"
    )


def visible(lines: str) -> str:
    """Text of several lines in which nothing hides."""
    return "\n".join(map(visible_line, lines.split("\n")))


def _why(detail: str) -> str:
    return f'<div class="why">{visible(detail)}</div>' if detail else ""


def _printed(output: str) -> str:
    if not output:
        return ""
    cut = output[:MAX_SHOWN] + ("…" if len(output) > MAX_SHOWN else "")
    return f'<div class="label">printed</div><pre class="code">{visible(cut)}</pre>'


def _history(history: Sequence[Review]) -> str:
    if not history:
        return ""
    items = "".join(
        f"<li>{event.created_at:%Y-%m-%d %H:%M:%S} UTC: <b>{text(event.reviewer)}</b> "
        f"{text(event.action)}{_words(event)} "
        f'<span class="faint">(was {STATE_WORDS.get(event.was_state, event.was_state)}'
        f"{', with others' if event.batch else ''}{', undone' if event.undone else ''})</span></li>"
        for event in history
    )
    return (
        f"<details><summary>History ({count(len(history))})</summary>"
        f'<ol class="history">{items}</ol></details>'
    )


def _words(event: Review) -> str:
    reason = VETO_REASONS.get(event.reason, event.reason)  # type: ignore[call-overload]
    parts = [part for part in (reason, event.note) if part]
    return f": {text(', '.join(parts))}" if parts else ""
