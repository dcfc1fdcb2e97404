"""Do the pages stay quick when the database is full? `python -m benchmarks.pages [--quick]`

Trends: 200 runs x 20 iterations x 1,000,000 programs against one such run. Pairs: 200,000 pairs and
1,000,000 programs of one run against 2,000 and 10,000. In SQLite, and in PostgreSQL where
CODELUTRA_TEST_POSTGRES (or DATABASE_URL) names a server on which databases can be made. What is
timed is the server's work for an address, as the page asks for it when it is opened; each database
has a process of its own, and their rounds alternate.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import sqlalchemy
from sqlalchemy import text

from benchmarks.claims import Claim, finish

ITERATIONS, PROGRAMS = 20, 250  # of a run; of an iteration
HELDOUT, PER_TASK = 50, 10  # of an iteration's programs; programs a training task
PAIRS, STEPS = 50, 50  # of an iteration
FEW_PAIRS, MANY_PAIRS = 100, 10_000  # of an iteration, where they are what is counted
ROUNDS = 15


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()
    rounds = 5 if options.quick else ROUNDS
    claims = trends_open("sqlite", rounds) + pairs_tab("sqlite", rounds)
    if server := os.environ.get("CODELUTRA_TEST_POSTGRES") or os.environ.get("DATABASE_URL"):
        claims += trends_open("postgres", rounds, server)
        claims += pairs_tab("postgres", rounds, server)
    return finish(claims)


def trends_open(kind: str, rounds: int, server: str = "") -> list[Claim]:
    """Opening ?tab=trends on the newest run: many runs against one."""
    with store(Size(1), server) as one, store(Size(200), server) as many:
        value = ratio("open_trends", one, many, rounds)
    return [Claim("trends_open" if kind == "sqlite" else f"trends_open_{kind}", value, ceiling=2.0)]


def pairs_tab(kind: str, rounds: int, server: str = "") -> list[Claim]:
    """What a person does on the Pairs tab of one run: with many pairs against few."""
    few, many = (Size(1, 5 * pairs, pairs) for pairs in (FEW_PAIRS, MANY_PAIRS))
    end = "" if kind == "sqlite" else f"_{kind}"
    with store(few, server) as small, store(many, server) as large:
        return [
            Claim(f"{name}{end}", ratio(name, small, large, rounds), ceiling=2.0)
            for name in ("pairs_open", "pairs_next", "pairs_filter", "pairs_page")
        ]


def ratio(name: str, one: "Store", many: "Store", rounds: int) -> float:
    """Medians of interleaved rounds; the first of each only warms up."""
    firsts = [store.seconds(name) for store in (one, many)]
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for store, mine in zip((one, many), times, strict=True):
            mine.append(store.seconds(name))
    alone, among = (statistics.median(mine) for mine in times)
    print(
        f"{name:<14} {one.kind:<9} {1000 * alone:>7.1f} ms with {one.size}, "
        f"{1000 * among:>7.1f} ms with {many.size}; the very first {1000 * firsts[0]:.0f} and "
        f"{1000 * firsts[1]:.0f} ms"
    )
    return among / alone


@dataclass(frozen=True)
class Size:
    """Runs, and what each of their iterations has."""

    runs: int
    programs: int = PROGRAMS
    pairs: int = PAIRS

    def __str__(self) -> str:
        pairs = self.runs * ITERATIONS * self.pairs
        return f"{self.runs} run{'s' if self.runs > 1 else ''} of {pairs:,} pairs"


class Store:
    """A filled database in a process of its own, which does what it is told and says how long."""

    def __init__(self, kind: str, size: Size, pipe: Connection) -> None:
        self.kind, self.size, self.pipe = kind, size, pipe

    def seconds(self, action: str) -> float:
        self.pipe.send(action)
        found: float = self.pipe.recv()
        return found


@contextmanager
def store(size: Size, server: str = "") -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as home, database(server) as url:
        mine, theirs = multiprocessing.Pipe()
        arguments = (home, url, size, theirs)
        process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
        process.start()
        theirs.close()  # so that its end is seen here
        seconds = mine.recv()
        kind = "postgres" if server else "sqlite"
        print(f"{kind}: {size}, {size.runs * ITERATIONS * size.programs:,} programs "
              f"written in {seconds:.0f} s", flush=True)  # fmt: skip
        try:
            yield Store(kind, size, mine)
        finally:
            mine.send("")
            process.join()


@contextmanager
def database(server: str) -> Iterator[str]:
    """A database of its own on the server, '' for SQLite."""
    if not server:
        yield ""
        return
    url, name = sqlalchemy.make_url(server), f"codelutra_{uuid4().hex[:12]}"
    admin = sqlalchemy.create_engine(
        url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def serve(home: str, url: str, size: Size, pipe: Connection) -> None:
    """Fill the database, then time what is asked until '' comes."""
    os.environ.pop("DATABASE_URL", None)
    os.environ |= {"CODELUTRA_HOME": home} | ({"DATABASE_URL": url} if url else {})
    began = time.perf_counter()
    fill(Path(home), size)
    pipe.send(time.perf_counter() - began)
    while action := pipe.recv():
        began = time.perf_counter()
        ACTIONS[action]()
        pipe.send(time.perf_counter() - began)


def open_trends() -> None:
    """What the server does for ?tab=trends: both run views, and what stands around the tabs."""
    from pages import run_news, shell, trends

    run_news.show(run_news.Look())
    trends.open_at(None, {})
    shell.around()


def open_pairs() -> None:
    """What the server does for ?tab=pairs, until the browser has said who it is."""
    from pages import pairs

    pairs.open_address({})


def next_pair() -> None:
    """A key: the pair is held for who asks, the next one is shown."""
    from pages import pairs

    look = pairs.open_address({})[-2]
    pairs.act(look, None, {"do": "next", "pair": look.pair_id, "who": "ann", "token": "t"})


def filter_pairs() -> None:
    """By verdict and text: a word that most pairs have, and one that few have."""
    from pages import pairs

    for words in ("visit", "visit w5"):
        pairs.open_address({"verdict": "syntax_error", "words": words})


def page_of_pairs() -> None:
    """The second page of the list."""
    from pages import pairs
    from pages.pair_look import turn
    from storage import db, pair_queue

    look = pairs.open_address({"state": ""})[-2]
    with db.open_session() as session:
        rows = pair_queue.page(session, look.filter)
    pairs.show(turn(look, rows))


ACTIONS: dict[str, Callable[[], None]] = {
    "open_trends": open_trends,
    "pairs_open": open_pairs,
    "pairs_next": next_pair,
    "pairs_filter": filter_pairs,
    "pairs_page": page_of_pairs,
}


SCORES = {"pass_at_1": 0.6, "ci_low": 0.4, "ci_high": 0.8, "num_tasks": HELDOUT,
          "syntax_error": 0.02, "verdicts": {"correct": 30, "wrong_result": 20}}  # fmt: skip
FACTS = {"num_pairs": PAIRS, "num_dropped": 0, "stock_tokens": 900, "run_tokens": 300,
         "fallback": ""}  # fmt: skip


def fill(home: Path, size: Size) -> None:
    """The same rows in every run, written by the database itself."""
    from codelutra.config import RefineConfig
    from storage import db, jobs
    from storage.models import Iteration

    jobs.prepare(home)
    config = RefineConfig.for_model("starter", iterations=ITERATIONS).model_dump(mode="json")
    for number in range(size.runs):
        with db.open_session() as session:
            run = jobs.submit(session, config=config, name=f"run {number}", num_train=20,
                              num_heldout=HELDOUT)  # fmt: skip
            assert run.id
            rows = [
                {"run_id": run.id, "number": n, "training": FACTS if n else None, **SCORES}
                for n in range(ITERATIONS + 1)
            ]
            session.connection().execute(sqlalchemy.insert(Iteration), rows)
        jobs.cancel(run.id)
    engine = db.current().engine
    with engine.begin() as connection:
        for statement, number in (
            (SAMPLES, size.programs), (ROWS_OF_PAIRS, size.pairs), (STEPS_ROWS, STEPS),
        ):  # fmt: skip
            connection.execute(text(COUNTED.format(statement)), {"last": number})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


# `n` counts the rows of an iteration. Held-out programs come first; their tasks are the starter's.
COUNTED = """INSERT INTO {} FROM iteration i CROSS JOIN (
  WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n + 1 < :last)
  SELECT n FROM counted) AS c WHERE i.number > 0"""
SAMPLES = f"""sample (iteration_id, split, task_id, "index", completion, verdict, detail, seconds,
  flaky, output, extraction)
  SELECT i.id, CASE WHEN n < {HELDOUT} THEN 'heldout' ELSE 'train' END,
  CASE WHEN n < {HELDOUT} THEN 'query-heldout-' || SUBSTR(CAST(10001 + n AS TEXT), 2)
    ELSE 'query-train-' || CAST((n - {HELDOUT}) / {PER_TASK} AS TEXT) END,
  CASE WHEN n < {HELDOUT} THEN 0 ELSE (n - {HELDOUT}) % {PER_TASK} END,
  'SELECT name, COUNT(*) FROM visit WHERE minutes > ' || CAST(n AS TEXT) || ' GROUP BY name',
  CASE WHEN (n * 7 + i.number) % 10 < 6 THEN 'correct' WHEN (n + i.number) % 10 = 0
    THEN 'syntax_error' ELSE 'wrong_result' END, '3 rows where 2 were expected', 0.001,
  FALSE, '', 'bare'"""
ROWS_OF_PAIRS = """preferencepair (iteration_id, run_id, task_id, chosen, rejected, chosen_index,
  rejected_index, rejected_verdict, doubt, shuffle, words)
  SELECT i.id, i.run_id, 'query-train-' || CAST(n / 5 AS TEXT),
  'SELECT name FROM visit WHERE minutes > ' || CAST(n AS TEXT), 'SELECT w' || CAST(n % 50 AS TEXT),
  0, 1 + n % 5, CASE WHEN n % 5 = 0 THEN 'syntax_error' ELSE 'wrong_result' END,
  (n * 31 % 97) / 97.0, (n * 7919 + i.id * 104729) % 2147483647,
  '_run_' || CAST(i.run_id AS TEXT) || '_ _is_'
    || CASE WHEN n % 5 = 0 THEN 'syntax_error' ELSE 'wrong_result' END
    || '_ from minutes name select visit w' || CAST(n % 50 AS TEXT) || ' where'"""
STEPS_ROWS = """trainingstep (iteration_id, step, metrics) SELECT i.id, n + 1,
  '{"loss/dpo": 0.5, "loss/sft": 0.4, "grad_norm": 2.0}'"""


if __name__ == "__main__":
    sys.exit(main())
