"""Brings a model of the Hub to this machine before a child process loads it: no child knows a
token, none asks the Hub."""

import threading
from collections.abc import Callable
from pathlib import Path

from codelutra.errors import ModelError, StopRequested

POLL_S = 0.3
TEXTS = ["*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "README.md"]
# Other people's copies of the same weights, in the Hub's customary places.
IGNORED = ["*/*", "consolidated*"]

_fetched: set[tuple[str, bool]] = set()  # by this process


def fetch_model(
    model: str, *, weights: bool = True, should_stop: Callable[[], bool] = lambda: False
) -> None:
    """Raises ModelError in one line, StopRequested when told to stop; a folder is left alone.

    What is here already is not asked for again, so a run keeps the commit that it began with.
    """
    if Path(model).is_dir() or (model, weights) in _fetched:
        return
    failed: list[Exception] = []

    def work() -> None:
        try:
            _download(model, weights)
        except Exception as error:  # the thread's boundary: raised again below
            failed.append(error)

    # One that nobody waits for goes on meanwhile, and ends with the process.
    thread = threading.Thread(target=work, name="model-download", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(POLL_S)
        if thread.is_alive() and should_stop():
            raise StopRequested("stopped on request; what is downloaded is kept")
    if failed:
        reason = (str(failed[0]).strip().splitlines() or [type(failed[0]).__name__])[0]
        raise ModelError(f"cannot load {model}: {reason}") from failed[0]
    _fetched.add((model, weights))


def _download(model: str, weights: bool) -> None:
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    cached = try_to_load_from_cache(model, "config.json")
    revision = Path(cached).parent.name if isinstance(cached, str) else None

    def fetch(*patterns: str) -> Path:
        return Path(
            snapshot_download(
                model,
                revision=revision,
                allow_patterns=[*TEXTS, *patterns],
                ignore_patterns=IGNORED,
            )
        )

    if weights and not any(fetch("*.safetensors").glob("*.safetensors")):
        fetch("*.bin")  # pickles, which transformers reads as data alone (weights_only)
    elif not weights:
        fetch()
