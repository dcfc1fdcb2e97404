"""The built-in starter: a small model and the tasks it is refined on.

Cheap to import and to call: the tasks were drawn once by build_tasks.py and lie
in tasks.jsonl, the databases are written from the fixed data of families.py.
"""

import json
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from codelutra.starter.families import Row, databases, sciences
from codelutra.starter.worlds import World

MODEL_DIR: Path = Path(__file__).parent / "model"
TASKS_FILE: Path = Path(__file__).parent / "tasks.jsonl"
SPLITS = ("train", "heldout")


def starter_tasks(home: Path) -> list[dict[str, Any]]:
    """All starter tasks, train first; writes missing databases under `home / "starter"`."""
    folder = home.absolute() / "starter"
    paths = {name: str(path) for name, path in write_databases(folder).items()}
    setups = {
        name: code
        for split in SPLITS
        for _, inputs in sciences(split)
        for name, code in inputs.items()
    }
    rows = [json.loads(line) for line in TASKS_FILE.read_text(encoding="utf-8").splitlines()]
    return [
        row
        | {
            "database": paths.get(row["family"], "") if row["kind"] == "sql" else "",
            "setup": setups[row["family"]] if row["kind"] == "python" else "",
            "answer": "result" if row["kind"] == "python" else "",
        }
        for row in rows
    ]


def write_databases(folder: Path) -> dict[str, Path]:
    """Write every starter database that is not there yet; its path by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for split in SPLITS:
        for world, rows in databases(split):
            paths[world.name] = folder / f"{world.name}.sqlite"
            if not paths[world.name].exists():
                _write_database(paths[world.name], world, rows)
    return paths


def _write_database(path: Path, world: World, rows: dict[str, list[Row]]) -> None:
    """Write beside the target and rename, so that nobody ever opens half a database."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    os.close(handle)
    connection = sqlite3.connect(draft)
    fill_database(connection, world, rows)
    connection.close()
    os.chmod(draft, 0o644)
    os.replace(draft, path)


def fill_database(connection: sqlite3.Connection, world: World, rows: dict[str, list[Row]]) -> None:
    """Create and fill the tables of a world."""
    for table in world.tables:
        whole = {*table.numbers, table.gaps} | ({f"{table.parent}_id"} if table.parent else set())
        columns = ", ".join(f"{c} {'INTEGER' if c in whole else 'TEXT'}" for c in table.columns)
        connection.execute(f"CREATE TABLE {table.name} (id INTEGER PRIMARY KEY, {columns})")
        marks = ", ".join("?" * (1 + len(table.columns)))
        numbered = [(i, *row) for i, row in enumerate(rows[table.name], start=1)]
        connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", numbered)
    connection.commit()
