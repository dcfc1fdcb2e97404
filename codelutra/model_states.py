"""A model state that Compare can ask: a base, an iteration of a run, an adapter, a remote model.

Plain data, stored with each comparison: what was recorded of it when it was asked.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class ModelState:
    """`sha256` is what training recorded of the adapter's weights, '' where nobody did."""

    key: str  # tells states apart in votes: run:3/1, base:starter@..., adapter:/path, remote:...
    label: str
    kind: Literal["base", "iteration", "adapter", "remote"]
    model: str = ""  # the base as a run names it; the remote's name for its model
    revision: str = ""  # of the base, as recorded
    adapter: str = ""  # folder
    sha256: str = ""
    run_id: int | None = None
    iteration: int | None = None
    backend: dict[str, Any] = field(default_factory=dict)  # of the run
    chat_template: str = "auto"
    url: str = ""  # of a remote server

    def as_row(self) -> dict[str, Any]:
        return asdict(self)


def state_of(row: dict[str, Any]) -> ModelState:
    return ModelState(**row)


@dataclass(frozen=True)
class Proof:
    """Who answered in a column, as the engine says, beside what was recorded."""

    model: str
    revision: str = ""
    recorded_revision: str = ""
    adapter: str = ""  # its name in the engine
    sha256: str = ""  # of the weights as the engine loaded them
    recorded_sha256: str = ""
    backend: str = ""
    probe: str = ""
    problem: str = ""  # why the answer is not that of the state; '' for none
    num_tokens: int = 0
    seconds: float = 0.0


def problem_of(state: ModelState, *, sha256: str, revision: str, engine: str) -> str:
    """Why what was loaded is not `state`; `engine` is what the engine itself finds wrong."""
    if state.sha256 and sha256 != state.sha256:
        return (
            f"the adapter that answered has sha256 {sha256[:12]}, training recorded "
            f"{state.sha256[:12]}: this is not {state.label}"
        )
    if (
        state.revision
        and revision != state.revision
        and "unknown" not in (state.revision, revision)
    ):
        return (
            f"the base that answered is {revision[:19]}, the run was of {state.revision[:19]}: "
            f"this is not {state.label}"
        )
    return engine
