"""How fast are verdicts? `python -m benchmarks.verdicts [--quick] [--endurance N]`

Our sandbox with one worker against a restatement of what others do, on the same programs: every
round runs each method once, in turn, and the claims are medians of the rounds' ratios. Then the
throughput by workers, the bare limits, and many programs in a row, hostile ones among them.
"""

import argparse
import functools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import python_baselines, sql_workload
from benchmarks.claims import Claim, finish
from benchmarks.endurance import endure
from benchmarks.sql_workload import Query
from benchmarks.verdict_programs import KINDS, Case, python_cases
from codelutra.config import SandboxConfig
from codelutra.grading import grade
from codelutra.sandbox import Program, Sandbox
from codelutra.tasks.task import Task

FRESH_SHARE = 7  # the slowest method runs one program of so many, of all kinds in turn
SQL_COUNT = {"light": 500, "heavy": 100}
Rates = dict[str, float]  # verdicts a second, by method


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, 2,000 programs in a row"
    )
    parser.add_argument("--endurance", type=int, metavar="N", help="programs in a row")
    options = parser.parse_args()
    rounds = 5 if options.quick else 15
    count = options.endurance or (2_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory() as folder:
        database = str(Path(folder) / "shop.db")
        sql_workload.build_database(Path(database))
        python, sql = measure(rounds, database)
        show("Python, one worker", python)
        show("SQL, one worker", sql)
        show_workers(database)
        lasting = endure(count, database)
    return finish(
        [
            Claim("python_vs_fresh", ratio(python, "ours", "fresh"), floor=25),
            Claim("python_vs_warm_fork", ratio(python, "ours", "warm_fork"), floor=5),
            Claim("sql_light_vs_bird", ratio(sql, "ours, light", "bird, light"), floor=6),
            Claim("sql_heavy_vs_bird", ratio(sql, "ours, heavy", "bird, heavy"), floor=1.6),
            *lasting,
        ]
    )


def ratio(rounds: list[Rates], ours: str, theirs: str) -> float:
    return median(rates[ours] / rates[theirs] for rates in rounds)


def measure(rounds: int, database: str) -> tuple[list[Rates], list[Rates]]:
    """One round is not counted: it starts the servers and fills the caches."""
    python, sql = [], []
    context = multiprocessing.get_context("spawn")
    with (
        WarmParent() as parent,
        context.Pool(1) as pool,
        Sandbox(SandboxConfig(workers=1)) as sandbox,
    ):
        for number in range(rounds + 1):
            python.append(python_round(number, parent, sandbox))
            sql.append(sql_round(number, pool, sandbox, database))
    return python[1:], sql[1:]


class WarmParent:
    """The process of the Python baselines, numpy and pandas loaded."""

    def __enter__(self) -> "WarmParent":
        self.process = subprocess.Popen(
            [sys.executable, python_baselines.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, **job: object) -> object:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> object:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def verdicts(self, method: str, cases: list[Case]) -> list[str]:
        return [
            str(self.ask(method=method, source=case.source, expected=repr(case.expected)))
            for case in cases
        ]


def python_round(number: int, parent: WarmParent, sandbox: Sandbox) -> Rates:
    ours = functools.partial(our_verdicts, sandbox)
    theirs = {name: functools.partial(parent.verdicts, name) for name in python_baselines.METHODS}
    cases = python_cases(number)
    rates = {
        "fresh": rate(theirs["fresh"], cases[number % FRESH_SHARE :: FRESH_SHARE]),
        "warm_fork": rate(theirs["warm_fork"], cases),
        "warm_fork_without_manager": rate(theirs["warm_fork_without_manager"], cases),
        "ours": rate(ours, cases),
        "limit: fork + wait": float(str(parent.ask(method="fork", count=60))),
    }
    for kind in KINDS:
        some = [case for case in python_cases(number + 10_000) if case.kind == kind]
        rates[f"warm_fork, {kind}"] = rate(theirs["warm_fork"], some)
        rates[f"ours, {kind}"] = rate(ours, some)
    return rates


def rate(method: Callable[[list[Case]], list[str]], cases: list[Case]) -> float:
    """Verdicts a second; every one must be the known one."""
    started = time.perf_counter()
    found = method(cases)
    seconds = time.perf_counter() - started
    for case, verdict in zip(cases, found, strict=True):
        if verdict != case.verdict:
            raise AssertionError(f"{verdict} instead of {case.verdict}:\n{case.source}")
    return len(cases) / seconds


def our_verdicts(sandbox: Sandbox, cases: list[Case]) -> list[str]:
    """Program and gold of every case: the gold's answer is a program's answer, too.

    A gold runs once for its ten samples in a refinement; here the known answers of ten cases
    come from one program.
    """
    programs = [Program("python", case.source) for case in cases]
    golds = [
        Program("python", f"result = {[case.expected for case in cases[i : i + 10]]!r}")
        for i in range(0, len(cases), 10)
    ]
    results = sandbox.execute(programs + golds)
    answers = [node for result in results[len(cases) :] for node in result.value[1]]
    task = Task(task_id="t", kind="python", prompt="-", gold="result = 0")
    return [
        grade(task, result, type(result)("ok", answer)).kind.value
        for result, answer in zip(results, answers, strict=False)
    ]


def sql_round(number: int, pool: "multiprocessing.pool.Pool", sandbox: Sandbox, db: str) -> Rates:
    rates = {}
    for weight, count in SQL_COUNT.items():
        queries = sql_workload.queries(weight, number, count)
        started = time.perf_counter()
        pending = [
            pool.apply_async(sql_workload.judge_as_bird, (query.prediction, query.gold, db))
            for query in queries
        ]
        theirs = [verdict.get() for verdict in pending]
        between = time.perf_counter()
        ours = our_sql_verdicts(sandbox, queries, db)
        ended = time.perf_counter()
        statements = [query.prediction for query in queries]
        pool.apply(sql_workload.execute_bare, (db, statements))
        bare = time.perf_counter()
        if not theirs == ours == [query.is_correct for query in queries]:
            raise AssertionError(f"{weight}: the methods disagree in round {number}")
        rates[f"bird, {weight}"] = count / (between - started)
        rates[f"ours, {weight}"] = count / (ended - between)
        rates[f"limit: execute, {weight}"] = count / (bare - ended)
    return rates


def our_sql_verdicts(sandbox: Sandbox, queries: list[Query], database: str) -> list[bool]:
    """As `judge` does it: every gold once, every prediction on its own."""
    golds = {query.gold: Program("sql", query.gold, database) for query in queries}
    programs = [Program("sql", query.prediction, database) for query in queries]
    results = sandbox.execute([*golds.values(), *programs])
    by_gold = dict(zip(golds, results, strict=False))
    task = {
        gold: Task(task_id="t", kind="sql", prompt="-", gold=gold, database=database)
        for gold in golds
    }
    return [
        grade(task[query.gold], result, by_gold[query.gold]).kind.value == "correct"
        for query, result in zip(queries, results[len(golds) :], strict=True)
    ]


def show(title: str, rounds: list[Rates]) -> None:
    print(f"\n{title}: verdicts a second, median (lowest to highest) of {len(rounds)} rounds")
    for method in rounds[0]:
        rates = sorted(rates[method] for rates in rounds)
        print(f"  {method:<28} {median(rates):>8.1f}   ({rates[0]:.1f} to {rates[-1]:.1f})")


def show_workers(database: str) -> None:
    """Throughput by workers, Python and light SQL."""
    cores = len(os.sched_getaffinity(0))
    print(f"\nThroughput by workers ({cores} cores): Python, SQL light; verdicts a second")
    for workers in range(1, cores + 1):
        with Sandbox(SandboxConfig(workers=workers)) as sandbox:
            warm = python_cases(0) + python_cases(1)
            queries = sql_workload.queries("light", 0, 800)
            our_verdicts(sandbox, warm)
            our_sql_verdicts(sandbox, queries, database)
            python = rate(functools.partial(our_verdicts, sandbox), warm)
            started = time.perf_counter()
            our_sql_verdicts(sandbox, queries, database)
            sql = len(queries) / (time.perf_counter() - started)
        print(f"  {workers:>2} {python:>8.1f} {sql:>8.1f}")


if __name__ == "__main__":
    sys.exit(main())
