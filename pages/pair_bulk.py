"""One decision for all pairs that the filter shows: first how many, then doing it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from codelutra.reviews import VETO_REASONS, VetoReason
from pages.format import count, text
from pages.pair_acts import decision_of
from pages.pair_look import Look
from pages.roles import known_name
from storage import db, pair_queue, reviews
from storage.db import StorageError
from storage.reviews import STATES

ACTIONS = [("Veto", "veto"), ("Keep", "keep"), ("Skip", "skip")]
REASONS = [(label, name.value) for name, label in VETO_REASONS.items()]


@dataclass(frozen=True)
class Bulk:
    action: gr.Dropdown
    reason: gr.Dropdown
    ask: gr.Button
    message: gr.HTML
    do: gr.Button
    asked: gr.State  # (look, action, reason) that the preview was of


def preview(look: Look, action: str, reason: str) -> list[Any]:
    """How many pairs a decision would change, and the button that does it."""
    with db.open_session() as session:
        number = pair_queue.count(session, look.filter, at_most=None)
    if not number:
        return ["No pair is like the filter says.", gr.Button(visible=False), None]
    words = f"{action.capitalize()} {count(number)} {'pair' if number == 1 else 'pairs'}"
    message = (
        f"{text(words)}: all that the filter shows, not only this page. Pairs that are "
        f"{STATES[action]} already stay as they are. Undo takes it back as a whole."
    )
    return [message, gr.Button(words, visible=True), (look.filter, action, reason)]


def do(asked: Any, name: str) -> str:
    """What was done, in a sentence. Raises StorageError."""
    wanted, action, reason = asked
    with db.open_session() as session:
        _, number = reviews.decide_all(
            session, wanted=wanted, decision=decision_of(action, name, reason)
        )
    return f"{count(number)} pairs are {STATES[action]} now. Undo takes it back."


def render() -> Bulk:
    with gr.Accordion("All of them at once", open=False, elem_id="pair-bulk"):
        with gr.Row():
            action = gr.Dropdown(ACTIONS, value="veto", label="Decision", min_width=110)
            reason = gr.Dropdown(REASONS, value=VetoReason.OTHER.value, label="Veto because",
                                 min_width=130)  # fmt: skip
        ask = gr.Button("How many are they?", elem_id="bulk-ask")
        message = gr.HTML("", elem_id="bulk-message")
        button = gr.Button("", visible=False, variant="stop", elem_id="bulk-do")
    return Bulk(action, reason, ask, message, button, gr.State(None))


def wire(
    bulk: Bulk,
    look: gr.State,
    name: gr.Textbox,
    show: Callable[[Look], list[Any]],
    outputs: list[Any],
    quiet: dict[str, Any],
) -> None:
    def carry_out(asked: Any, now: Look, who: str) -> list[Any]:
        try:
            said = do(asked, known_name() or who) if asked else "Ask first how many they are."
        except StorageError as error:
            said = text(error)
        # What is left of the filter begins anew: the pair that was shown may be among the changed.
        return [said, gr.Button(visible=False), None, *show(replace(now, pair_id=None, pages=()))]

    parts = [bulk.message, bulk.do, bulk.asked]
    bulk.ask.click(preview, [look, bulk.action, bulk.reason], parts, **quiet)
    bulk.do.click(carry_out, [bulk.asked, look, name], [*parts, *outputs], **quiet)
