"""The SQL workload of `benchmarks.verdicts`, and BIRD's way of judging it, restated.

Eight predictions of ten are right. `judge_as_bird` runs in the one process of a pool, as there.
"""

import ctypes
import random
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0  # BIRD's meta_time_out
ROWS = {"customers": 500, "products": 200, "orders": 10_000, "lines": 90_000}
LIGHT = [  # like most of Spider's and BIRD's questions: a fraction of a millisecond
    "SELECT name, city FROM customers WHERE id = {n}",
    "SELECT city, count(*) FROM customers WHERE id > {n} GROUP BY city",
    "SELECT kind, avg(price) FROM products WHERE id > {n} GROUP BY kind ORDER BY 2 DESC LIMIT 3",
    "SELECT c.name, count(*) FROM customers c JOIN orders o ON o.customer = c.id "
    "WHERE c.city = 'city {small}' GROUP BY c.id",
    "SELECT name FROM customers WHERE name LIKE '%{small}%' AND id > {n}",
]
HEAVY = [  # joins and groups of some ten thousand rows: several milliseconds
    "SELECT p.kind, sum(l.quantity) FROM lines l JOIN products p ON p.id = l.product "
    "WHERE l.orders BETWEEN {n} AND 1500 GROUP BY p.kind",
    "SELECT product, count(*) FROM lines WHERE quantity > 1 AND orders BETWEEN {n} AND 2000 "
    "GROUP BY product",
    "SELECT o.customer, sum(l.quantity) FROM orders o JOIN lines l ON l.orders = o.id "
    "WHERE o.id BETWEEN {n} AND 1500 GROUP BY o.customer HAVING sum(l.quantity) > 10",
    "SELECT customer, count(*), max(day) FROM orders WHERE day > {small} GROUP BY customer",
]
WRONG = "SELECT * FROM ({sql}) LIMIT 0"


@dataclass(frozen=True)
class Query:
    gold: str
    prediction: str
    is_correct: bool


def queries(weight: str, seed: int, count: int) -> list[Query]:
    """`count` predictions, ten a gold as a sampler gives them, every one another text."""
    forms = {"light": LIGHT, "heavy": HEAVY}[weight]
    found = []
    for place in range(count):
        n = 100 + (seed * 7 + place // 10) % 90
        gold = forms[(place // 10) % len(forms)].format(n=n, small=n % 30)
        is_correct = place % 10 < 8
        body = gold if is_correct else WRONG.format(sql=gold)
        found.append(Query(gold, f"{body} /* {seed} {place} */", is_correct))
    return found


def build_database(path: Path) -> None:
    """About 4 MB; the same at every call."""
    rng = random.Random(0)
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);"
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, price REAL);"
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, day INTEGER);"
        "CREATE TABLE lines (id INTEGER PRIMARY KEY, orders INTEGER, product INTEGER,"
        " quantity INTEGER, note TEXT);"
        "CREATE INDEX by_customer ON orders (customer);"
        "CREATE INDEX by_order ON lines (orders);"
    )
    rows: dict[str, list[tuple[Any, ...]]] = {
        "customers": [
            (i, f"customer {i}", f"city {rng.randrange(30)}") for i in range(ROWS["customers"])
        ],
        "products": [
            (i, f"product {i}", f"kind {i % 12}", rng.randrange(10_000) / 100)
            for i in range(ROWS["products"])
        ],
        "orders": [(i, rng.randrange(500), rng.randrange(365)) for i in range(ROWS["orders"])],
        "lines": [
            (i, rng.randrange(10_000), rng.randrange(200), rng.randrange(1, 9), f"note {i}")
            for i in range(ROWS["lines"])
        ],
    }
    for table, values in rows.items():
        marks = ",".join("?" * len(values[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.commit()
    connection.close()


def execute_sql(prediction: str, gold: str, database: str) -> bool:
    """BIRD evaluation.py `execute_sql`."""
    connection = sqlite3.connect(database)
    cursor = connection.cursor()
    cursor.execute(prediction)
    predicted = cursor.fetchall()
    cursor.execute(gold)
    return set(predicted) == set(cursor.fetchall())


def judge_as_bird(prediction: str, gold: str, database: str) -> bool:
    """BIRD `execute_model`: func_timeout runs it in a thread and raises in it when it is late."""
    outcome: list[bool] = []

    def work() -> None:
        try:
            outcome.append(execute_sql(prediction, gold, database))
        except Exception:  # as theirs: whatever goes wrong is a wrong answer
            outcome.append(False)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    if thread.is_alive():
        late = ctypes.py_object(TimeoutError)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), late)
        return False
    return outcome[0]


def execute_bare(database: str, statements: list[str]) -> None:
    """The limit: one warm connection, the predictions and nothing else."""
    connection = sqlite3.connect(database)
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()
