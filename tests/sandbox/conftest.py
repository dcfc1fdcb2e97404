"""Two sandboxes for all tests of this folder, and a small database.

Only tests of the time limit use the hasty one: on a slow machine it stops good programs, too.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codelutra.config import SandboxConfig
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from tests.sandbox.hostile import SECRET, Range

Run = Callable[[str], ExecutionResult]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(timeout_s=20, memory_mb=256, workers=1)) as opened:
        yield opened


@pytest.fixture(scope="session")
def hasty_sandbox() -> Iterator[Sandbox]:
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


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    """Where every hostile program runs, beside a secret in a file and one in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", SECRET)
        field = Range(tmp_path_factory.mktemp("range"))
        yield field
        field.close()


@pytest.fixture
def run_python(sandbox: Sandbox) -> Iterator[Run]:
    """Runs one program; afterwards the next good one must still be right."""
    yield lambda source: run(sandbox, "python", source)
    assert_python_goes_on(sandbox)


@pytest.fixture
def run_python_hastily(hasty_sandbox: Sandbox) -> Iterator[Run]:
    """As `run_python`, with 0.3 s of CPU time."""
    yield lambda source: run(hasty_sandbox, "python", source)
    assert_python_goes_on(hasty_sandbox)


@pytest.fixture
def run_sql(sandbox: Sandbox, database: Path) -> Iterator[Run]:
    """Runs one query; afterwards the next good one must still be right, the file unchanged."""
    before = contents(database)
    yield lambda source: run(sandbox, "sql", source, str(database))
    assert_sql_goes_on(sandbox, database, before)


@pytest.fixture
def run_sql_hastily(hasty_sandbox: Sandbox, database: Path) -> Iterator[Run]:
    """As `run_sql`, with 0.3 s of CPU time."""
    before = contents(database)
    yield lambda source: run(hasty_sandbox, "sql", source, str(database))
    assert_sql_goes_on(hasty_sandbox, database, before)


def run(sandbox: Sandbox, kind: str, source: str, database: str = "") -> ExecutionResult:
    return sandbox.execute([Program(kind, source, database)])[0]


def contents(database: Path) -> tuple[bytes, list[Path]]:
    return database.read_bytes(), sorted(database.parent.iterdir())


def assert_python_goes_on(sandbox: Sandbox) -> None:
    good = "import pandas as pd\nresult = int(pd.Series([1, 2]).sum())"
    for source in (good, "result = sum([1, 2])"):
        assert run(sandbox, "python", source).value == 3


def assert_sql_goes_on(sandbox: Sandbox, database: Path, before: tuple[bytes, list[Path]]) -> None:
    good = run(sandbox, "sql", "SELECT count(*) FROM items", str(database))
    assert good.value.rows == [(100,)]
    assert contents(database) == before
