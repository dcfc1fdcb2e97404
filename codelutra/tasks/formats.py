"""Which published format a file or folder has, told by the fields of its rows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import TaskError
from codelutra.tasks import ds1000, evalplus, humaneval, mbpp, own, spider
from codelutra.tasks.columns import own_rows, read_rows
from codelutra.tasks.draft import Published
from codelutra.tasks.rows import read_json_rows

Row = Mapping[str, Any]
Load = Callable[[Path, Sequence[Row]], Published]
FORMATS: dict[str, tuple[set[str], Load]] = {  # the fields that tell it from the others
    "spider": ({"db_id", "question", "query"}, spider.load_spider),
    "bird": ({"db_id", "question", "SQL"}, spider.load_bird),
    "mbpp": ({"code", "test_list"}, mbpp.load),
    "evalplus": (  # before HumanEval, whose fields some of its files have, too
        {"prompt", "canonical_solution", "entry_point", "base_input", "plus_input"},
        evalplus.load,
    ),
    "humaneval": ({"prompt", "canonical_solution", "test", "entry_point"}, humaneval.load),
    "ds1000": ({"prompt", "reference_code", "code_context", "metadata"}, ds1000.load),
    "own": ({"task_id", "kind", "prompt", "gold"}, own.load),
}
SUFFIXES = (".json", ".jsonl", ".jsonl.gz")


def load(source: Path, columns: Mapping[str, str] | None = None) -> Published:
    """The set in a file (with `columns` an own one) or the one in a folder. Raises TaskError."""
    if source.is_dir():
        return load_folder(source)
    rows = read_rows(source)
    if columns:
        return own.load(source, own_rows(str(source), rows, columns))
    name = format_of(rows[0])
    if name is None:
        raise TaskError(
            f"{source}: the first row has {', '.join(map(str, rows[0]))}, which is none of the "
            f"known formats ({', '.join(FORMATS)}); map its columns, or write own tasks as "
            "docs/tasks.md shows"
        )
    return FORMATS[name][1](source, rows)


def load_folder(folder: Path) -> Published:
    """Looks in the folder, then in those right below it: archives often hold one folder."""
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        found = {}
        for path in sorted(place.iterdir()):
            if path.is_file() and path.name.endswith(SUFFIXES):
                rows = read_json_rows(path)
                if name := format_of(rows[0]):
                    found[path] = name, rows
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise TaskError(f"{place} holds several sets ({names}): name the file of one")
        for path, (name, rows) in found.items():
            return FORMATS[name][1](path, rows)
    raise TaskError(f"{folder}: no file of a known format ({', '.join(FORMATS)}) in it")


def format_of(row: Row) -> str | None:
    return next((name for name, (fields, _) in FORMATS.items() if fields <= set(row)), None)
