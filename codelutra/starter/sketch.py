"""What templates are made of: blanks drawn from a world, and the registry of templates."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codelutra.starter.pen import Pen
from codelutra.starter.worlds import Table, World

SIDES = ("train", "heldout")  # index 0 and 1 of every pair of wordings

# Comparison -> wordings of the train side, wordings of the held-out side.
COMPARISONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ">=": (("at least {n}", "{n} or more"), ("no less than {n}", "{n} and up")),
    ">": (("more than {n}", "above {n}"), ("greater than {n}", "over {n}")),
    "<=": (("at most {n}", "{n} or less"), ("no more than {n}", "up to {n}")),
    "<": (("less than {n}", "below {n}"), ("smaller than {n}", "under {n}")),
}

# Aggregate -> wordings of the train side, wordings of the held-out side.
AGGREGATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mean": (("average",), ("mean",)),
    "sum": (("total",), ("summed",)),
    "max": (("highest",), ("maximum",)),
    "min": (("lowest",), ("minimum",)),
    "median": (("median",), ("middle",)),
}


@dataclass(frozen=True)
class Condition:
    """A number column compared with a number."""

    column: str
    op: str
    number: int
    words: str


@dataclass(frozen=True)
class Sketch:
    """The blanks of a question and the program that answers it."""

    subject: str  # the schema line of the prompt
    blanks: Mapping[str, str | int]
    write: Callable[[Pen], str]


class Draw:
    """Draws what one question is about; `side` picks among the wordings."""

    def __init__(self, world: World, rng: random.Random, side: int) -> None:
        self.world, self.rng, self._side = world, rng, side

    def numbers(self, table: Table, count: int) -> list[str]:
        return self.rng.sample(table.numbers, count)

    def either_table(self) -> Table:
        return self.rng.choice(self.world.tables)

    def category(self, table: Table) -> str:
        return self.rng.choice(table.categories)

    def members(self, table: Table, category: str, count: int) -> list[str]:
        return [str(v) for v in self.rng.sample(table.values[category], count)]

    def bounds(self, table: Table, column: str) -> tuple[int, int]:
        low, high = sorted(int(v) for v in self.rng.sample(table.values[column], 2))
        return low, high

    def comparison(self, number: int) -> tuple[str, str]:
        """An operator and its wording."""
        op = self.rng.choice(tuple(COMPARISONS))
        return op, self.rng.choice(COMPARISONS[op][self._side]).format(n=number)

    def condition(self, table: Table, column: str) -> Condition:
        number = int(self.rng.choice(table.values[column]))
        op, words = self.comparison(number)
        return Condition(column, op, number, f"{column} {words}")

    def aggregate(self, *among: str) -> tuple[str, str]:
        """The name of an aggregate and its wording."""
        name = self.rng.choice(among)
        return name, self.rng.choice(AGGREGATES[name][self._side])

    def small(self) -> int:
        return self.rng.randint(2, 6)


@dataclass(frozen=True)
class Template:
    """One kind of question: its wordings on both sides and how it is drawn."""

    name: str
    kind: str
    wordings: tuple[tuple[str, ...], tuple[str, ...]]
    draw: Callable[[Draw], Sketch]

    def make(self, world: World, rng: random.Random, side: int) -> tuple[str, Sketch]:
        """A prompt and its sketch."""
        sketch = self.draw(Draw(world, rng, side))
        question = rng.choice(self.wordings[side]).format(**sketch.blanks)
        mark = "--" if self.kind == "sql" else "#"
        return f"{mark} {sketch.subject}\n{mark} {question}\n", sketch


TEMPLATES: dict[str, Template] = {}


def template(
    kind: str, train: tuple[str, ...], heldout: tuple[str, ...]
) -> Callable[[Callable[[Draw], Sketch]], Callable[[Draw], Sketch]]:
    """Register a function as a template with its disjoint wordings."""

    def register(function: Callable[[Draw], Sketch]) -> Callable[[Draw], Sketch]:
        name = f"{'query' if kind == 'sql' else 'science'}-{function.__name__}"
        TEMPLATES[name] = Template(name, kind, (train, heldout), function)
        return function

    return register
