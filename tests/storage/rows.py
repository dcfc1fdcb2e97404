"""Rows as the worker writes them, for the tests of what is read."""

from typing import Any

from sqlmodel import Session

from storage import recording


def sample(
    task_id: str, index: int = 0, verdict: str | None = None, *, flaky: bool = False
) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "index": index,
        "completion": "SELECT 1",
        "verdict": verdict,
        "detail": "",
        "seconds": 0.0,
        "flaky": flaky,
        "output": "",
        "extraction": "",
    }


def pair(chosen: int | None, rejected: int | None, task_id: str = "a") -> dict[str, Any]:
    return {
        "task_id": task_id,
        "chosen": "x",
        "rejected": "y",
        "chosen_index": chosen,
        "rejected_index": rejected,
    }


def iteration(session: Session, run_id: int, number: int) -> int:
    return recording.ensure_iteration(session, run_id=run_id, number=number)
