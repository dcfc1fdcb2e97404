"""One sandbox for all tests of this folder, with short limits, and a small database."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codelutra.config import SandboxConfig
from codelutra.sandbox import ExecutionResult, Program, Sandbox

Run = Callable[[str], ExecutionResult]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(timeout_s=0.3, memory_mb=256, workers=1)) as opened:
        yield opened


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("databases") / "it's a shop?#1.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE items (id INTEGER, name TEXT, price REAL, note BLOB)")
    rows = [(n, f"item {n}", n / 4, None if n % 2 else bytes([n])) for n in range(100)]
    connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def run_python(sandbox: Sandbox) -> Iterator[Run]:
    """Runs one program; afterwards the next good one must still be right."""
    yield lambda source: sandbox.execute([Program("python", source)])[0]
    good = Program("python", "import pandas as pd\nresult = int(pd.Series([1, 2]).sum())")
    for program in (good, Program("python", "result = sum([1, 2])")):
        assert sandbox.execute([program])[0].value == 3


@pytest.fixture
def run_sql(sandbox: Sandbox, database: Path) -> Iterator[Run]:
    """Runs one query; afterwards the next good one must still be right, the file unchanged."""
    before = database.read_bytes(), sorted(database.parent.iterdir())
    yield lambda source: sandbox.execute([Program("sql", source, str(database))])[0]
    good = sandbox.execute([Program("sql", "SELECT count(*) FROM items", str(database))])[0]
    assert good.value.rows == [(100,)]
    assert (database.read_bytes(), sorted(database.parent.iterdir())) == before
