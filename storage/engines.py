"""What the worker says of its engine server, for pages."""

from sqlmodel import Session

from storage.compare_models import Engine
from storage.models import utc_now


def get(session: Session) -> Engine:
    return session.get(Engine, 1) or Engine()


def put(session: Session, *, engine: Engine) -> None:
    engine.id, engine.updated_at = 1, utc_now()
    session.merge(engine)
    session.flush()
