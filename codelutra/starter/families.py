"""The fixed databases and science inputs of the two splits, and the data in them.

Train and held-out families share no database and no table, column or input name.
"""

import random

from codelutra.starter.words import VALUES
from codelutra.starter.worlds import Reserved, Table, World

PARENT_ROWS = 14
CHILD_ROWS = 42
FRAME_ROWS = 18
VECTOR_LENGTH = 14
GRID_SHAPE = (5, 4)
# Shares of a column's rows that its values take: all different, so that the most
# frequent value is never a tie.
CATEGORY_SHARES = (0.40, 0.28, 0.20, 0.12)

Row = tuple[str | int | None, ...]

# A table is "name: label | categories | numbers | gaps".
_DATABASES = {
    "train": {
        "clinic": (
            "doctor: name | city | salary hours |",
            "visit: code | kind severity | minutes cost | dose",
        ),
        "shop": (
            "vendor: title | country | rating fee |",
            "basket: handle | method season | price quantity | discount",
        ),
        "port": (
            "harbor: name | climate | depth decks |",
            "vessel: code | carrier status | length mass | delay",
        ),
        "press": (
            "author: surname | shape | age wins |",
            "novel: title | language material | pages copies | likes",
        ),
        "rail": (
            "station: name | zone | floors seats |",
            "train: handle | route terminal | speed fuel | wheels",
        ),
    },
    "heldout": {
        "farm": (
            "orchard: alias | region | acres rainfall |",
            "crop: slug | weather grade | tons moisture | seeds",
        ),
        "music": (
            "studio: caption | mood | rooms budget |",
            "album: tag | style theme | tracks views | tempo",
        ),
        "space": (
            "rocket: nickname | division | torque power |",
            "probe: tag | surface priority | altitude voltage | noise",
        ),
        "school": (
            "teacher: alias | faculty | bonus members |",
            "exam: slug | degree period | points errors | duration",
        ),
        "kitchen": (
            "chef: nickname | origin | tax stock |",
            "dish: caption | flavor texture | sugar protein | salt",
        ),
    },
}

# Frame, vector, grid.
_SCIENCES = {
    "train": (
        ("snow: code | sector platform | width weight thickness | humidity", "wind", "lattice"),
        ("stall: handle | brand currency | profit units revenue | shares", "wave", "fabric"),
        ("runner: name | team league | distance laps losses | steps", "pulse", "quilt"),
        ("battery: title | format position | cycles pressure latitude | leaves", "surge", "panel"),
        ("whale: surname | species diet | fat volume fiber | foals", "echo", "plateau"),
    ),
    "heldout": (
        ("reef: tag | habitat family | brightness density hardness | eggs", "tide", "mosaic"),
        ("parcel: alias | district channel | height beds doors | retries", "glow", "mesh"),
        ("trial: slug | shift category | purity acidity tokens | visitors", "drift", "tile"),
        ("mill: caption | finish pattern | knots cargo crew | stings", "beam", "terrace"),
        ("player: nickname | genre medium | goals assists fouls | votes", "tone", "canvas"),
    ),
}


def _parse(line: str, parent: str = "") -> Table:
    name, rest = line.split(":")
    label, categories, numbers, gaps = (part.split() for part in rest.split("|"))
    return Table(name, label[0], tuple(categories), tuple(numbers), "".join(gaps), parent)


def _rows(table: Table, count: int, rng: random.Random, parents: int = 0) -> list[Row]:
    """Rows in column order: no number twice in a column, a fifth of the gap column missing."""
    columns: list[list[str | int | None]] = []
    if parents:
        columns.append([rng.randint(1, parents - 2) for _ in range(count)])
    words = rng.sample(VALUES, count)
    columns.append(list(words))
    for _ in table.categories:
        members = rng.sample([v for v in VALUES if v not in words], len(CATEGORY_SHARES))
        column: list[str | int | None] = [
            m
            for m, s in zip(members, CATEGORY_SHARES, strict=True)
            for _ in range(round(s * count))
        ]
        columns.append([*column, *members[:1] * count][:count])
        rng.shuffle(columns[-1])
    columns += [list(rng.sample(range(2, 99), count)) for _ in table.numbers]
    if table.gaps:
        columns.append([None if rng.random() < 0.2 else n for n in rng.sample(range(2, 99), count)])
    return list(zip(*columns, strict=True))


def _with_values(table: Table, rows: list[Row], **extra: tuple[str | int, ...]) -> Table:
    """The table, knowing which values questions may mention."""
    columns = dict(zip(table.columns, zip(*rows, strict=True), strict=True))
    values = {c: tuple(sorted(set(columns[c]))) for c in (*table.categories, *table.numbers)}
    return Table(
        table.name,
        table.label,
        table.categories,
        table.numbers,
        table.gaps,
        table.parent,
        values | extra,
    )


def _database(name: str, parent_line: str, child_line: str) -> tuple[World, dict[str, list[Row]]]:
    rng = random.Random(f"starter database {name}")
    parent = _parse(parent_line)
    child = _parse(child_line, parent.name)
    parent_rows = _rows(parent, PARENT_ROWS, rng)
    child_rows = _rows(child, CHILD_ROWS, rng, PARENT_ROWS)
    world = World(name, (_with_values(parent, parent_rows), _with_values(child, child_rows)))
    return world, {parent.name: parent_rows, child.name: child_rows}


def databases(split: str) -> list[tuple[World, dict[str, list[Row]]]]:
    """The databases of a split, each with the rows of its tables (ids are row numbers from 1)."""
    return [_database(name, *lines) for name, lines in _DATABASES[split].items()]


def sciences(split: str) -> list[tuple[World, dict[str, str]]]:
    """The science worlds of a split, each with the setup code of its inputs by input name."""
    return [_science(*spec) for spec in _SCIENCES[split]]


def _science(line: str, vector: str, grid: str) -> tuple[World, dict[str, str]]:
    frame = _parse(line)
    rng = random.Random(f"starter science {frame.name}")
    rows = _rows(frame, FRAME_ROWS, rng)
    numbers = rng.sample(range(2, 60), VECTOR_LENGTH)
    cells = [rng.sample(range(2, 99), GRID_SHAPE[1]) for _ in range(GRID_SHAPE[0])]
    columns = dict(zip(frame.columns, map(list, zip(*rows, strict=True)), strict=True))
    numpy, pandas = "import numpy as np\n", "import pandas as pd\n"
    setups = {
        frame.name: f"{numpy}{pandas}{frame.name} = pd.DataFrame({columns!r})\n",
        vector: f"{numpy}{vector} = np.array({numbers!r})\n",  # no pandas: a lighter sandbox
        grid: f"{numpy}{grid} = np.array({cells!r})\n",
    }
    known = _with_values(frame, rows, **{vector: tuple(sorted(numbers))})
    return World(frame.name, (known,), vector, grid), setups


def reserved() -> Reserved:
    """Everything that the pretraining corpus must stay away from."""
    worlds = [w for split in _DATABASES for w, _ in (*databases(split), *sciences(split))]
    return Reserved(tuple(worlds))
