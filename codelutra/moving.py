"""The database of a home, moved to another kind of database."""

import os
from pathlib import Path

from codelutra.errors import CodeLutraError
from storage import db, portable


def move(home: Path, to_url: str) -> dict[str, int]:
    """The number of rows that were copied, by table; what cannot be done is a CodeLutraError."""
    file = home / db.SQLITE_FILE
    if not file.exists() and not os.environ.get("DATABASE_URL"):  # opening it would make it
        raise CodeLutraError(f"there is no database in {home}: nothing to move")
    try:
        return portable.move(home.expanduser().absolute(), to_url)
    except db.StorageError as error:
        raise CodeLutraError(str(error)) from error
