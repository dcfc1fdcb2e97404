"""Pairs and their review for scripts: endpoints without a screen."""

from typing import Any

import gradio as gr
from gradio.events import api

from pages import pair_acts
from pages.pair_look import Who
from pages.roles import known_name
from storage import db, pair_queue, pairs, reviews
from storage.db import StorageError
from storage.pair_queue import PairFilter


def expose() -> None:
    """Within the Blocks that shall have them."""
    api(list_pairs, api_name="pairs")
    api(pair, api_name="pair")
    api(review_pair, api_name="review_pair")


def list_pairs(run_id: int, state: str = "", order: str = "newest") -> list[dict[str, Any]]:
    """The first pairs of a run: id, iteration, task, verdict, state, warnings."""
    if order not in pair_queue.ORDERS:
        raise gr.Error(f"order is one of {', '.join(pair_queue.ORDERS)}", print_exception=False)
    wanted = PairFilter(run_id, state=state, order=order)  # type: ignore[arg-type]
    with db.open_session() as session:
        return [vars(row) for row in pair_queue.page(session, wanted)]


def pair(pair_id: int) -> dict[str, Any]:
    """A pair: its programs, verdicts, state, version and history."""
    with db.open_session() as session:
        found = pairs.evidence(session, pair_id=pair_id)
        history = reviews.history(session, pair_id=pair_id)
    if found is None:
        raise gr.Error(f"there is no pair {pair_id}", print_exception=False)
    names = ("task_id", "chosen", "rejected", "state", "reason", "reviewer", "version", "doubt",
             "source", "rejected_verdict")  # fmt: skip
    return {
        "id": pair_id,
        **{name: getattr(found.pair, name) for name in names},
        "iteration": found.iteration,
        "warnings": list(found.warnings),
        "solved": [found.num_correct, found.num_graded],
        "history": [
            {"action": e.action, "reviewer": e.reviewer, "reason": e.reason, "note": e.note,
             "at": e.created_at.isoformat(), "undone": e.undone}
            for e in history
        ],
    }  # fmt: skip


def review_pair(
    pair_id: int, version: int, action: str, reviewer: str, reason: str = "", note: str = ""
) -> int:
    """Keep, veto, flip or skip version `version` of a pair. Returns the pair's new version."""
    try:
        return pair_acts.decide(
            pair_id, version, action, Who(known_name() or reviewer), reason, note
        ).version
    except StorageError as error:
        raise gr.Error(str(error), print_exception=False) from error
