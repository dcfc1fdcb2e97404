"""What the engine does now, and how a finished adapter is served to others."""

from pages.format import text
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
