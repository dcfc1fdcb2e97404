"""What the machine was last seen doing: written by the worker, read by the page."""

from datetime import timedelta
from typing import Any

from sqlmodel import Session

from storage.models import Gauge, utc_now

FRESH = timedelta(seconds=15)  # what is older says nothing of now


def set_reading(session: Session, *, values: dict[str, Any]) -> None:
    row = session.get(Gauge, 1) or Gauge(id=1, values=values)
    row.values, row.read_at = values, utc_now()
    session.add(row)


def reading(session: Session) -> dict[str, Any] | None:
    """None where nobody has looked for some time."""
    row = session.get(Gauge, 1)
    return row.values if row and utc_now() - row.read_at < FRESH else None
