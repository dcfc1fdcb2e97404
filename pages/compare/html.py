"""A comparison as HTML: its columns, what their answers do, how they differ, what people said."""

import json
from collections.abc import Sequence

from codelutra.evaluation import wilson_interval
from codelutra.records import VerdictKind
from codelutra.votes import BAD, TIE, find_pair
from pages.code_html import plain
from pages.compare.proof import LETTERS, Shown, probe, proof, same
from pages.compare.results import result, results_differ
from pages.format import count, interval, percent, text
from pages.pair_diff import side_by_side
from pages.pair_html import visible
from pages.programs import verdict
from storage.compare_models import Answer
from storage.run_status import RunStatus

EMPTY = """<section class="panel empty" data-state="empty"><h3>Try it yourself</h3>
<p>Put one prompt to the base and to what a run made of it, side by side. Each column proves which
weights answered, every program is run in the sandbox, and your judgement can become a preference
pair for the next iteration.</p></section>"""
WORDS = {
    "waiting": "waits", "answering": "answers …", "stopped": "stopped", "failed": "failed",
}  # fmt: skip
ENDLESS = "cut at the longest answer"


def view(shown: Shown) -> str:
    row = shown.row
    columns = "".join(_column(shown, place) for place in range(len(row.columns)))
    address = text(json.dumps({"comparison": row.id}))
    return (
        f'<section class="panel compare" data-comparison="{row.id}" '
        f'data-state="{"over" if shown.is_over else "open"}">'
        f'<i hidden data-address="{address}"></i>{_head(shown)}{_waiting(shown)}{same(shown)}'
        f'<div class="columns of-{len(row.columns)}">{columns}</div>'
        f"{_votes(shown)}{_diffs(shown)}{probe(shown)}</section>"
    )


def _head(shown: Shown) -> str:
    row, settings = shown.row, shown.row.settings
    drawn = (
        "greedy"
        if settings["temperature"] == 0
        else f"{settings['num_samples']} samples, temperature {settings['temperature']:g}, "
        f"top-p {settings['top_p']:g}, seed {settings['seed']}"
    )
    of = (
        f"task <code>{text(row.task_id)}</code> of {text(row.tasks)}" if row.tasks else "own prompt"
    )
    split = row.task.get("split", "")
    where = {"heldout": " (held out: for judging, never for pairs)", "train": ""}.get(split, "")
    button = (
        '<button class="act" data-do="again">Ask again</button>'
        if shown.is_over
        else '<button class="act" data-do="stop">Stop</button>'
    )
    return (
        f'<header class="run-head"><h3>Comparison {row.id}</h3>'
        f'<span class="faint">{of}{where if row.tasks else ""} · {drawn}, at most '
        f"{count(settings['max_new_tokens'])} tokens</span>{button}</header>"
        f'<details class="asked"><summary>The prompt</summary>'
        f'<pre class="code prompt">{visible(row.prompt)}</pre></details>'
    )


def _waiting(shown: Shown) -> str:
    if shown.is_over:
        return ""
    if shown.status is RunStatus.FAILED:
        return f'<div class="note bad" role="alert" data-failed>{text(shown.error)}</div>'
    if shown.status is RunStatus.INTERRUPTED:
        said = "The worker is not running: this goes on when it starts."
    elif shown.status is RunStatus.QUEUED:
        said = "Waits for the worker."
    elif shown.row.note:
        said = shown.row.note[:1].upper() + shown.row.note[1:] + "."
    else:
        return ""
    return f'<div class="note" role="status" data-waiting>{text(said)}</div>'


def _column(shown: Shown, place: int) -> str:
    answers = shown.of(place)
    states = {answer.state for answer in answers}
    state = next((s for s in ("answering", "waiting", "failed", "stopped") if s in states), "done")
    letter = LETTERS[place]
    label = (
        visible(shown.row.columns[place]["label"]) if shown.is_named else "unnamed until your vote"
    )
    said = f'<span class="faint">{WORDS[state]}</span>' if state in WORDS else ""
    kind = shown.row.task.get("kind", "")
    body = _samples(answers, kind) if len(answers) > 1 else _answer(answers[0], kind)
    proven = proof(shown, place) if shown.is_named else ""
    return (
        f'<section class="column" data-place="{place}" data-answer="{state}">'
        f"<h4><b>{letter}</b> {label} {said}</h4>{proven}{body}</section>"
    )


def _answer(answer: Answer, kind: str) -> str:
    if answer.state == "failed":
        return f'<div class="note bad" role="alert">{visible(answer.error)}</div>'
    said = f'<p class="faint">{ENDLESS}</p>' if answer.ending == "length" else ""
    if not answer.text.strip() and answer.state == "done":
        body = '<p class="faint" data-empty>An empty answer.</p>'
    elif answer.state in ("done", "stopped") and answer.text:
        body = f"<div data-text>{plain(answer.text, kind)}</div>"
    else:
        body = f'<pre class="code" data-text>{visible(answer.text)}</pre>'
    return f"{body}{said}{result(answer)}"


def _samples(answers: Sequence[Answer], kind: str) -> str:
    """The pass rate, then every sample."""
    judged = [
        answer.result["verdict"]
        for answer in answers
        if answer.result and answer.result["verdict"] not in ("", VerdictKind.HARNESS_ERROR)
    ]
    rate = ""
    if judged:
        num = judged.count(VerdictKind.CORRECT)
        rate = (
            f"<p data-rate><b>{num} of {len(judged)} correct</b>, {percent(num / len(judged))} "
            f"({interval(*wilson_interval(num, len(judged)))})</p>"
        )
    items = "".join(
        f'<details class="sample"><summary>{answer.index + 1}. {_brief(answer)}</summary>'
        f"{_answer(answer, kind)}</details>"
        for answer in answers
    )
    return rate + items


def _brief(answer: Answer) -> str:
    if answer.state in WORDS:
        return WORDS[answer.state]
    first = next(iter(answer.text.strip().split("\n")), "")[:60]
    shown = verdict(answer.result["verdict"]) if answer.result and answer.result["verdict"] else ""
    return f"{shown} <code>{visible(first)}</code>"


def _votes(shown: Shown) -> str:
    if not shown.is_over or not any(a.state == "done" for a in shown.answers):
        return ""
    places = range(len(shown.row.columns))
    if shown.vote is None:
        buttons = "".join(
            f'<button class="act" data-do="vote" data-choice="{place}">{LETTERS[place]} is best'
            "</button>"
            for place in places
        )
        return (
            f'<div class="votes" data-votes>{buttons}'
            f'<button class="act" data-do="vote" data-choice="{TIE}">Tie</button>'
            f'<button class="act" data-do="vote" data-choice="{BAD}">'
            f"{'Both' if len(places) == 2 else 'All'} bad</button>"
            f"</div>{_pair_buttons(shown)}{shown.pair_note}"
        )
    choice = shown.vote.choice
    found = {TIE: "a tie", BAD: "all bad"}.get(choice) or f"{shown.name(int(choice))} is best"
    blind = "blind" if shown.vote.was_blind else "with the names seen"
    return (
        f'<div class="note" data-voted>{text(shown.vote.voter)} voted, {blind}: '
        f"<b>{text(found)}</b>.</div>{_pair_buttons(shown)}{shown.pair_note}"
    )


def _pair_buttons(shown: Shown) -> str:
    """A pair for each two columns that are one, the correct program chosen; else why not."""
    if not shown.is_named:
        return ""
    places = range(len(shown.row.columns))
    results = [[answer.result for answer in shown.of(place)] for place in places]
    found = {
        (one, other): find_pair(results[one], results[other])
        for one in places
        for other in places
        if one != other
    }
    if shown.row.task.get("split", "train") != "train":
        return _no_pair("the task is held out, and training on it would make its score worthless")
    buttons = "".join(
        f'<button class="act" data-do="pair" data-chosen="{one}" data-rejected="{other}">'
        f"{LETTERS[one]} is right, {LETTERS[other]} is not: make it a pair</button>"
        for (one, other), pair in found.items()
        if not isinstance(pair, str)
    )
    if buttons:
        return f'<div class="votes">{buttons}</div>'
    voted = shown.vote.choice if shown.vote else "0"
    reasons = {one: why for (one, _), why in reversed(found.items())}
    return _no_pair(str(reasons.get(int(voted) if voted.isdecimal() else 0)))


def _no_pair(why: str) -> str:
    return f'<p class="faint" data-no-pair>No preference pair: {text(why)}.</p>'


def _diffs(shown: Shown) -> str:
    """Of the first column and each other: programs and results."""
    if not shown.is_over:
        return ""
    return "".join(_diff(shown, place) for place in range(1, len(shown.row.columns)))


def _diff(shown: Shown, place: int) -> str:
    left, right = shown.of(0)[0], shown.of(place)[0]
    if not left.text or not right.text or left.text == right.text:
        return ""
    names = (shown.name(0), shown.name(place))
    programs = [(answer.result or {}).get("program") or answer.text for answer in (left, right)]
    kind = shown.row.task.get("kind", "")
    which = "the first samples" if shown.row.settings["num_samples"] > 1 else "the answers"
    return (
        f"<details {'open' if place == 1 else ''} data-diff><summary>How {which} of A and "
        f"{LETTERS[place]} differ</summary>"
        f"{side_by_side(programs[0], programs[1], kind, names)}"
        f"{results_differ(left, right, names)}</details>"
    )
