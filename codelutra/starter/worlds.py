"""Worlds: what a question can be about, and how random ones are drawn for the corpus."""

import random
from dataclasses import dataclass, field

from codelutra.starter.words import CATEGORIES, LABELS, NUMBERS, THINGS, VALUES

ALL_NAMES = THINGS + NUMBERS + CATEGORIES


@dataclass(frozen=True)
class Table:
    """A database table or a data frame; `values` is what questions may mention
    (for a frame, also the values of the vector beside it)."""

    name: str
    label: str  # text, unique in each row
    categories: tuple[str, ...]
    numbers: tuple[str, ...]  # whole numbers, all different within a column
    gaps: str = ""  # a number column with missing values
    parent: str = ""  # the table that `<parent>_id` points to
    values: dict[str, tuple[str | int, ...]] = field(default_factory=dict, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order, without the id of a database table."""
        link = (f"{self.parent}_id",) if self.parent else ()
        return (
            *link,
            self.label,
            *self.categories,
            *self.numbers,
            *((self.gaps,) * bool(self.gaps)),
        )


@dataclass(frozen=True)
class World:
    """One database (two tables, parent first) or one set of science inputs (one frame)."""

    name: str
    tables: tuple[Table, ...]
    vector: str = ""
    grid: str = ""

    @property
    def child(self) -> Table:
        return self.tables[-1]

    @property
    def parent(self) -> Table:
        return self.tables[0]


class Reserved:
    """The names that belong to the task sets and that no random world may carry."""

    def __init__(self, worlds: tuple[World, ...]) -> None:
        self._table_sets = {
            frozenset(t.name for t in w.tables) for w in worlds if len(w.tables) == 2
        }
        self._column_sets = {frozenset(t.columns) for w in worlds for t in w.tables}
        self._inputs = {
            name for w in worlds if w.vector for name in (w.child.name, w.vector, w.grid)
        }

    def holds(self, world: World) -> bool:
        """Whether the world shares a database, a column set or an input name with the tasks."""
        names = {t.name for t in world.tables}
        if any(frozenset(t.columns) in self._column_sets for t in world.tables):
            return True
        if len(world.tables) == 2:
            return frozenset(names) in self._table_sets
        return bool({*names, world.vector, world.grid} & self._inputs)


def _random_table(
    rng: random.Random, name: str, names: list[str], parent: str, gaps: bool
) -> Table:
    categories = tuple(names.pop() for _ in range(rng.choice((1, 1, 2))))
    numbers = tuple(names.pop() for _ in range(rng.choice((2, 2, 3))))
    gap_column = names.pop() if gaps else ""
    values: dict[str, tuple[str | int, ...]] = {c: tuple(rng.sample(VALUES, 4)) for c in categories}
    values |= {n: tuple(rng.sample(range(2, 99), 8)) for n in numbers}
    return Table(name, rng.choice(LABELS), categories, numbers, gap_column, parent, values)


def random_world(rng: random.Random, kind: str, reserved: Reserved) -> World:
    """A world with its own names that shares nothing with the reserved ones."""
    while True:
        columns = rng.sample(ALL_NAMES, 16)
        first, second, third = rng.sample([t for t in THINGS if t not in columns], 3)
        if kind == "sql":
            parent = _random_table(rng, first, columns, "", gaps=False)
            child = _random_table(rng, second, columns, first, gaps=True)
            world = World("random", (parent, child))
        else:
            frame = _random_table(rng, first, columns, "", gaps=True)
            frame.values[second] = tuple(rng.sample(range(2, 60), 8))
            world = World("random", (frame,), second, third)
        if not reserved.holds(world):
            return world
