"""Earlier comparisons: found again, taken away as files, and what the votes say of the states."""

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session

from codelutra.votes import TIE, tallies
from pages.code_html import visible
from pages.compare.states import name_of_key
from pages.format import count, interval, percent, text
from storage import comparisons
from storage.compare_models import Answer, Comparison, Vote

PAGE, MAX_EXPORTED = 15, 5_000
FORMATS = ("jsonl", "csv")
FIELDS = ("comparison", "created_at", "tasks", "task_id", "prompt", "column", "state", "revision",
          "sha256", "recorded_sha256", "problem", "temperature", "seed", "sample", "completion",
          "answer", "verdict", "detail", "vote", "blind")  # fmt: skip


def table(session: Session, words: str = "", before: int | None = None) -> str:
    rows = comparisons.page(session, words=words, before=before, limit=PAGE + 1)
    if not rows:
        return f'<p class="faint">{"Nothing found." if words else "No comparison yet."}</p>'
    body = "".join(_row(session, row) for row in rows[:PAGE])
    more = (
        f'<button class="link" data-older="{rows[PAGE - 1].id}">older ones</button>'
        if len(rows) > PAGE
        else ""
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("", "Prompt", "States", "Vote"))
    return (
        f'<div class="table-scroll"><table class="numbers history-table"><thead><tr>{head}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>{more}"
    )


def _row(session: Session, row: Comparison) -> str:
    assert row.id is not None
    vote = comparisons.get_vote(session, comparison_id=row.id)
    prompt = " ".join(row.prompt.split())[-80:]
    is_hidden = row.is_blind and vote is None
    states = "unnamed" if is_hidden else ", ".join(column["label"] for column in row.columns)
    said = "" if vote is None else _said(vote)
    return (
        f'<tr><th scope="row"><button class="link" data-open="{row.id}">{row.id}</button></th>'
        f"<td>{visible(row.task_id or prompt)}</td><td>{visible(states)}</td><td>{said}</td></tr>"
    )


def _said(vote: Vote) -> str:
    return "ABCD"[int(vote.choice)] if vote.choice.isdecimal() else text(vote.choice)


def win_rates(session: Session) -> str:
    """Of blind votes: who saw the names did not judge the answers alone."""
    votes = comparisons.votes(session)
    found = tallies((vote.choice, vote.states) for vote in votes)
    if not found:
        return '<p class="faint">No blind vote yet.</p>'
    rows = []
    for (one, other), tally in sorted(found.items()):
        rate = tally.rate
        share = f"{percent(rate[0])} <small>{interval(*rate[1:])}</small>" if rate else "–"
        rows.append(
            f'<tr><th scope="row">{text(name_of_key(one))} against '
            f"{text(name_of_key(other))}</th><td>{share}</td>"
            f"<td>{tally.wins} : {tally.losses}</td><td>{tally.ties}</td>"
            f"<td>{tally.both_bad}</td></tr>"
        )
    names = ("First against second", "First wins", "Votes", TIE.capitalize(), "Both bad")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<div class="table-scroll"><table class="numbers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="faint">{count(len(votes))} blind votes; the share is of those for one of the '
        "two, with its 95 % interval.</p>"
    )


def export(session: Session, kind: str, words: str = "") -> tuple[Path, int]:
    """A new file with a row for each answer of what the words find, newest first."""
    found = comparisons.page(session, words=words, limit=MAX_EXPORTED)
    path = Path(tempfile.mkdtemp(prefix="codelutra-export-")) / f"comparisons.{kind}"
    rows = [row for one in found for row in rows_of(session, one)]
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        if kind == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    return path, len(found)


def rows_of(session: Session, one: Comparison) -> list[dict[str, Any]]:
    assert one.id is not None
    vote = comparisons.get_vote(session, comparison_id=one.id)
    answers: Sequence[Answer] = comparisons.answers(session, comparison_id=one.id)
    proofs = one.proofs or []
    rows = []
    for answer in answers:
        proof = proofs[answer.place] if answer.place < len(proofs) else {}
        result = answer.result or {}
        rows.append({
            "comparison": one.id, "created_at": one.created_at.isoformat(), "tasks": one.tasks,
            "task_id": one.task_id, "prompt": one.prompt, "column": "ABCD"[answer.place],
            "state": one.columns[answer.place]["key"], "revision": proof.get("revision", ""),
            "sha256": proof.get("sha256", ""),
            "recorded_sha256": proof.get("recorded_sha256", ""),
            "problem": proof.get("problem", ""), "temperature": one.settings["temperature"],
            "seed": one.settings["seed"], "sample": answer.index, "completion": answer.text,
            "answer": answer.state, "verdict": result.get("verdict", ""),
            "detail": result.get("detail", ""), "vote": _said(vote) if vote else "",
            "blind": one.is_blind,
        })  # fmt: skip
    return rows
