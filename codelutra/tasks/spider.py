"""Spider and BIRD: questions about SQLite databases, one JSON list and a folder of databases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError
from codelutra.tasks.draft import Draft, Published
from codelutra.tasks.rows import text_of
from codelutra.tasks.schema_text import schema_text

TEMPLATE = "{schema}\n\n-- {evidence}{question}\n-- Answer with one SQLite query:\n"
Row = Mapping[str, Any]
DATABASE_FOLDERS = ("database", "databases", "dev_databases", "train_databases")


def load_spider(path: Path, rows: Sequence[Row]) -> Published:
    return load(path, rows, "spider", query="query")


def load_bird(path: Path, rows: Sequence[Row]) -> Published:
    return load(path, rows, "bird", query="SQL")


def load(path: Path, rows: Sequence[Row], kind: str, query: str) -> Published:
    """Databases are found beside the file, as both sets have them. Raises TaskError by row."""
    schemas: dict[str, str] = {}
    seen: set[str] = set()
    drafts, left_out = [], {}
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        name = text_of(row, "db_id", where)
        task_id = f"{kind}-{row.get('question_id', number - 1)}"
        if task_id in seen:  # BIRD's mini-dev has two numbers twice
            task_id += f"-row{number}"
        seen.add(task_id)
        database = find_database(path.parent, name, where)
        if database is None:
            left_out[task_id] = f"database {name} is missing"
            continue
        if name not in schemas:
            schemas[name] = schema_text(database)
        drafts.append(draft(row, where, task_id, query, database, schemas[name]))
    return Published(kind, TEMPLATE, drafts, left_out)


def draft(
    row: Row,
    where: str,
    task_id: str,
    query: str,
    database: Path,
    schema: str,
) -> Draft:
    difficulty = row.get("difficulty")
    task = {
        "task_id": task_id,
        "kind": "sql",
        "gold": text_of(row, query, where),
        "family": text_of(row, "db_id", where),
        "tags": [difficulty] if isinstance(difficulty, str) else [],
        "database": str(database),
        "quoted_strings": True,  # a third of Spider's golds write strings so
    }
    evidence = " ".join(str(row.get("evidence") or "").split())
    parts = {
        "question": " ".join(text_of(row, "question", where).split()),
        "evidence": f"{evidence}\n-- " if evidence else "",
        "schema": schema,
    }
    return Draft(task, parts)


def find_database(folder: Path, name: str, where: str) -> Path | None:
    if Path(name).name != name:
        raise TaskError(f"{where}: db_id {name!r} is no plain name")
    for databases in DATABASE_FOLDERS:
        path = folder / databases / name / f"{name}.sqlite"
        if path.is_file():
            return path
    return None
