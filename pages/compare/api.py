"""Compare for programs: ask, and read what was answered."""

from typing import Any

import gradio as gr
from gradio.events import api

from codelutra.errors import CodeLutraError
from pages.compare.ask import OWN, Wish, ask
from pages.compare.history import rows_of
from storage import comparisons, db
from storage.db import StorageError


def compare(
    prompt: str, states: list[str], tasks: str = OWN, task_id: str = "", temperature: float = 0.0,
    num_samples: int = 1, max_new_tokens: int = 256, seed: int = 0,
) -> int:  # fmt: skip
    """Ask two to four model states (base:starter, run:3/1, an adapter's folder): its number.

    It stops when nobody reads it with `comparison` for twelve seconds.
    """
    wish = Wish(
        prompt, states, tasks, task_id, num_samples=num_samples, temperature=temperature,
        top_p=0.95, max_new_tokens=max_new_tokens, seed=seed,
    )  # fmt: skip
    try:
        with db.open_session() as session:
            return ask(session, wish)
    except (CodeLutraError, StorageError) as error:
        raise gr.Error(str(error), print_exception=False) from error


def comparison(comparison_id: int) -> dict[str, Any]:
    """A comparison: its status, and a row for each answer with what proves who wrote it."""
    with db.open_session() as session:
        row = comparisons.get(session, comparison_id=comparison_id)
        if row is None:
            raise gr.Error(f"there is no comparison {comparison_id}", print_exception=False)
        comparisons.mark_seen(session, comparison_id=comparison_id)
        rows = rows_of(session, row)
    return {"status": comparisons.status(row).value, "note": row.note, "answers": rows}


def expose() -> None:
    api(compare, api_name="compare")
    api(comparison, api_name="comparison")
