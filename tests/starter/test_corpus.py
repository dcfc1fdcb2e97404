"""The pretraining corpus: it keeps away from the tasks and errs as often as documented."""

import random
import sqlite3
from collections import Counter
from dataclasses import replace
from itertools import islice
from keyword import iskeyword
from pathlib import Path

import pytest

from codelutra.starter import starter_tasks
from codelutra.starter.corpus import Example, examples
from codelutra.starter.families import databases, reserved, sciences
from codelutra.starter.pen import HABITS, SLIPS
from codelutra.starter.words import CATEGORIES, LABELS, NUMBERS, THINGS, VALUES
from codelutra.starter.worlds import random_world

PRETRAINING_SEED = 0
SAMPLE = 20_000


@pytest.fixture(scope="module")
def corpus() -> list[Example]:
    return list(islice(examples(PRETRAINING_SEED), SAMPLE))


def test_no_task_prompt_occurs_in_the_corpus(corpus: list[Example], tmp_path: Path) -> None:
    prompts = {t["prompt"] for t in starter_tasks(tmp_path)}
    assert not prompts & {e.prompt for e in corpus}


def test_no_task_database_or_input_occurs_in_the_corpus(corpus: list[Example]) -> None:
    guard = reserved()
    assert not any(guard.holds(e.world) for e in corpus)


def test_the_guard_knows_every_task_world() -> None:
    guard = reserved()
    for split in ("train", "heldout"):
        assert all(guard.holds(world) for world, _ in (*databases(split), *sciences(split)))


def test_the_guard_knows_a_name_or_a_column_set_alone() -> None:
    guard, rng = reserved(), random.Random(5)
    (database, _), (science, _) = databases("heldout")[0], sciences("heldout")[0]
    stranger = random_world(rng, "sql", guard)
    renamed = tuple(
        replace(t, name=n.name) for t, n in zip(stranger.tables, database.tables, strict=True)
    )
    assert not guard.holds(stranger)
    assert guard.holds(replace(stranger, tables=renamed))
    assert guard.holds(replace(stranger, tables=(stranger.parent, database.child)))
    frames = random_world(rng, "python", guard)
    assert not guard.holds(frames)
    assert guard.holds(replace(frames, vector=science.vector))
    assert guard.holds(replace(frames, grid=science.grid))
    assert guard.holds(replace(frames, tables=(replace(frames.child, name=science.name),)))
    assert guard.holds(replace(frames, tables=(replace(science.child, name="meadow"),)))


def test_mistakes_stand_as_often_as_documented(corpus: list[Example]) -> None:
    met, erred = (
        Counter(n for e in corpus for n in e.met),
        Counter(n for e in corpus for n in e.erred),
    )
    rates = HABITS | SLIPS
    assert set(met) == set(rates)
    # Two points, and three standard errors for the places that are met rarely.
    far = {
        n: erred[n] / met[n]
        for n, r in rates.items()
        if abs(erred[n] / met[n] - r) > 0.02 + 3 * _error(r, met[n])
    }
    assert far == {}


def _error(rate: float, count: int) -> float:
    return float((rate * (1 - rate) / count) ** 0.5)


def test_the_same_seed_gives_the_same_corpus() -> None:
    assert list(islice(examples(3), 50)) == list(islice(examples(3), 50))


def test_no_word_is_a_keyword_or_twice_a_name() -> None:
    names = (*THINGS, *NUMBERS, *CATEGORIES, *LABELS)
    assert [n for n, c in Counter(names).items() if c > 1] == []
    assert [v for v, c in Counter(VALUES).items() if c > 1] == []
    connection = sqlite3.connect(":memory:")
    for name in names:
        connection.execute(f"CREATE TABLE {name} ({name} TEXT)")
        assert not iskeyword(name)
    own = {
        "result",
        "totals",
        "total",
        "part",
        "counts",
        "value",
        "np",
        "pd",
        "len",
        "sorted",
        "band",
        "ratio",
    }
    assert not own & set(names)
