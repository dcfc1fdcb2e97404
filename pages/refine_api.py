"""Runs for programs: what the Refine tab can do and see, as public endpoints."""

from typing import Any

import gradio as gr

from codelutra.errors import CodeLutraError
from pages import form
from pages.run_view import list_rows, load_view
from storage import db
from storage.db import StorageError


def list_runs() -> list[dict[str, Any]]:
    """Every run, newest first: id, name, status, iterations."""
    with db.open_session() as session:
        return [
            {"id": r.id, "name": r.name, "status": r.status.value, "iterations": r.iterations}
            for r in list_rows(session)
        ]


def start_run(tasks: str, model: str, iterations: int, settings: dict[str, Any]) -> int:
    """Queue a run; `settings` has paths such as "training.beta". Returns the run's number."""
    try:
        values = {"tasks": tasks, "model": model, "iterations": iterations, **settings}
        return form.queue_runs(values)[0]
    except (CodeLutraError, StorageError) as error:
        raise gr.Error(str(error), print_exception=False) from error


def run_status(run_id: int) -> dict[str, Any]:
    """One run: status, phase under way, seconds left, error."""
    with db.open_session() as session:
        view = load_view(session, run_id=run_id)
    if view is None:
        raise gr.Error(f"there is no run {run_id}", print_exception=False)
    now, left = view.progress, view.left
    return {
        "id": run_id,
        "status": view.status.value,
        "iteration": now.iteration if now else None,
        "phase": now.phase if now else None,
        "done": now.done if now else None,
        "total": now.total if now else None,
        "phase_seconds_left": left.phase,
        "run_seconds_left": left.run,
        "error": view.error,
        "log": [message for _, message in view.log],
    }
