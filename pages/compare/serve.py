"""What the engine does now, and how a finished adapter is served to others."""

from typing import Any

import gradio as gr
from sqlmodel import Session

from codelutra.models import has_chat_template
from codelutra.serving.curl import curl_line
from pages.format import text
from storage import trained
from storage.compare_models import Engine

WORDS = {
    "stopped": "The engine is not running: it starts with the next comparison.",
    "starting": "The engine is loading {base} ({backend}).",
    "ready": "The engine holds {base} ({backend}){adapters}.",
    "evicted": "Run {run_id} has the machine: comparisons wait until it is over or paused.",
    "failed": "The engine failed: {reason}",
}


def engine_line(engine: Engine) -> str:
    names = f" and {len(engine.adapters)} adapters" if engine.adapters else ""
    said = WORDS[engine.state].format(
        base=engine.base, backend=engine.backend, adapters=names, run_id=engine.run_id,
        reason=engine.reason,
    )  # fmt: skip
    kind = {"failed": "bad", "evicted": "warn"}.get(engine.state, "")
    return f'<div class="note {kind}" data-engine="{engine.state}">{text(said)}</div>'


def how_to(session: Session) -> str:
    """The command, and a first request, for the newest run with an adapter."""
    newest = next(iter(trained.adapters(session)), None)
    if newest is None:
        return '<p class="faint">No adapter is trained yet.</p>'
    run, iteration, _ = newest
    curl = curl_line(
        "http://127.0.0.1:8000", f"iteration-{iteration.number}",
        is_chat=run.config.get("chat_template", "auto") == "auto"
        and has_chat_template(run.config["model"]),
    )  # fmt: skip
    return (
        "<p>An OpenAI-compatible server with the run's base and every iteration by name, until "
        f'Ctrl-C:</p><pre class="code">python -m codelutra serve {run.id}</pre>'
        f'<p>then, from anywhere on this machine:</p><pre class="code">{text(curl)}</pre>'
    )


def render() -> Any:
    with gr.Accordion("Serve it to others", open=False, elem_id="compare-serve"):
        return gr.HTML("")
