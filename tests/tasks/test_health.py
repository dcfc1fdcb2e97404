"""What is wrong with golds, found by running them."""

import sqlite3

import pytest

from codelutra.errors import StopRequested
from codelutra.tasks import Task
from codelutra.tasks.health import CHUNK, check_golds, find_problems


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("golds") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE item (name TEXT, price INTEGER);"
        "INSERT INTO item VALUES ('a', 1), ('b', 1), ('c', 2);"
    )
    connection.close()
    return str(path)


def query(gold: str, database: str, match: str = "exact") -> Task:
    return Task.model_validate(
        {"task_id": gold, "kind": "sql", "prompt": "p", "gold": gold, "database": database,
         "match": match}
    )  # fmt: skip


def python(gold: str, **fields: object) -> Task:
    return Task.model_validate(
        {"task_id": gold, "kind": "python", "prompt": "p", "gold": gold, **fields}
    )


def problems(task: Task) -> list[str]:
    return [found.problem for found in find_problems([task])]


@pytest.mark.parametrize(
    "gold",
    [
        "SELECT name FROM item LIMIT 1",
        "SELECT name FROM item ORDER BY price",
        "SELECT name FROM item ORDER BY price LIMIT 1",
        "SELECT name FROM item ORDER BY (SELECT price) LIMIT 1;",
    ],
)
def test_a_gold_that_hangs_on_the_order_of_rows(database: str, gold: str) -> None:
    assert problems(query(gold, database)) == ["order_dependent"]


@pytest.mark.parametrize(
    "gold",
    [
        "SELECT name FROM item",
        "SELECT name FROM item ORDER BY name LIMIT 1",
        "SELECT price, count(*) FROM item GROUP BY price",
        "SELECT price FROM item ORDER BY price",
        "SELECT name FROM item WHERE price = (SELECT max(price) FROM item ORDER BY 1) LIMIT 1",
    ],
)
def test_a_gold_that_does_not(database: str, gold: str) -> None:
    assert problems(query(gold, database)) == []


def test_rows_that_tie_do_not_matter_where_order_does_not(database: str) -> None:
    assert problems(query("SELECT name FROM item ORDER BY price", database, "bird")) == []


def test_golds_that_give_nothing_fail_or_draw_chance(database: str) -> None:
    assert problems(query("SELECT name FROM item WHERE price = 9", database)) == ["empty"]
    assert problems(python("result = []")) == ["empty"]
    assert problems(python("import random\nresult = random.random()")) == ["nondeterministic"]
    found = find_problems([query("SELECT nome FROM item", database)])
    assert [(one.problem, "no such column: nome" in one.reason) for one in found] == [
        ("failing", True)
    ]


def test_a_gold_that_needs_much_of_its_time_is_slow() -> None:
    gold = "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end: pass\n"
    assert problems(python(gold + "result = 1")) == ["slow"]


def test_progress_is_told_and_a_check_can_be_stopped() -> None:
    tasks = [python(f"result = {number}") for number in range(CHUNK + 1)]
    told: list[int] = []
    assert find_problems(tasks, told.append) == []
    assert told == [CHUNK, CHUNK + 1]
    with pytest.raises(StopRequested):
        find_problems(tasks, told.append, lambda: len(told) > 2)


def test_the_summary_names_every_list(database: str) -> None:
    report = check_golds([query("SELECT name FROM item LIMIT 1", database), python("result = 1")])
    assert report["gold_ok"] == 2
    assert report["order_dependent"] == ["SELECT name FROM item LIMIT 1"]
    assert report["slow"] == report["gold_failed"] == report["nondeterministic"] == []
