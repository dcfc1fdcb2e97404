from pathlib import Path

import pytest

from storage import db, queries
from tests.lab import database, lab

__all__ = ["database", "lab"]


@pytest.fixture
def run_id(database: Path) -> int:
    db.init(database)
    with db.open_session() as session:
        run = queries.create_run(session, name="r", config={}, num_train=2, num_heldout=1)
    assert run.id is not None
    return run.id
