"""Our verdicts on real systems' SQL against the official evaluators' definitions.

    python -m benchmarks.published DATA [--quick]

DATA holds `spider/`, `spider_pred/`, `bird/` and `bird_pred/` as they are distributed. Sets are
imported by our own loaders with `match` spider and bird; the official side is written anew from
the definitions and runs the queries with Python's sqlite3 on a read-only connection.
"""

import argparse
import itertools
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, finish
from codelutra.config import SandboxConfig
from codelutra.grading import Grader
from codelutra.records import Sample
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task
from codelutra.tasks.stored import ImportOptions, preview_set

LIMIT_S = 30.0  # BIRD's own
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Difference:
    system: str
    task_id: str
    ours: str
    official: bool
    why: str


def spider_systems(data: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each system's SQL by task_id: a line a question, in the order of dev.json."""
    for path in sorted((data / "spider_pred").glob("*.txt")):
        lines = path.read_text("utf-8").split("\n")
        yield path.stem, {f"spider-{n}": line.split("\t")[0] for n, line in enumerate(lines)}


def bird_systems(data: Path, mini: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """Each system's SQL by task_id: an object from the row's number to SQL and database."""
    name = "mini_dev_sqlite.json" if mini else "dev.json"
    ids, seen = [], set[str]()
    for number, row in enumerate(json.loads((data / "bird" / name).read_text()), 1):
        task_id = f"bird-{row['question_id']}"
        ids.append(f"{task_id}-row{number}" if task_id in seen else task_id)
        seen.add(ids[-1])
    for path in sorted((data / "bird_pred").glob("*.json")):
        if ("mini_dev" in path.name) == mini:
            found = json.loads(path.read_text("utf-8"))
            yield path.stem, {ids[int(n)]: str(sql).split("\t")[0] for n, sql in found.items()}


def execute(database: str, sql: str) -> Rows | None:
    """All rows; None when it fails or takes longer than BIRD allows."""
    connection = sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)
    connection.text_factory = lambda text: text.decode(errors="ignore")
    ends = time.monotonic() + LIMIT_S
    connection.set_progress_handler(lambda: time.monotonic() > ends, 10_000)
    try:
        return connection.execute(sql).fetchall()
    except (sqlite3.Error, sqlite3.Warning, UnicodeError):
        return None
    finally:
        connection.close()


def official_bird(task: Task, sql: str) -> bool:
    """`set(predicted) == set(gold)`: bird/llm/src/evaluation.py."""
    wanted, found = execute(task.database, task.gold), execute(task.database, sql)
    return wanted is not None and found is not None and set(wanted) == set(found)


def official_spider(task: Task, sql: str) -> bool:
    """`eval_exec_match` and `result_eq` of test-suite-sql-eval, without its --keep_distinct."""
    wanted = execute(task.database, as_spider(task.gold))
    found = execute(task.database, as_spider(sql))
    if wanted is None or found is None:
        return False
    if not wanted and not found:
        return True
    if len(wanted) != len(found) or len(wanted[0]) != len(found[0]):
        return False
    is_ordered = "order by" in task.gold.lower()
    return any(
        wanted == turned if is_ordered else Counter(wanted) == Counter(turned)
        for order in orders(wanted, found)
        for turned in [[tuple(row[place] for place in order) for row in found]]
    )


def orders(wanted: Rows, found: Rows) -> Iterator[Sequence[int]]:
    """Orders of the found columns under which each holds the wanted one's values."""
    width = len(wanted[0])
    columns = [Counter(row[n] for row in wanted) for n in range(width)]
    theirs = [Counter(row[n] for row in found) for n in range(width)]
    for order in itertools.permutations(range(width)):
        if all(columns[n] == theirs[place] for n, place in enumerate(order)):
            yield order


def as_spider(sql: str) -> str:
    """Its `postprocess`, `replace_cur_year` and `remove_distinct`."""
    for wide, narrow in (("> =", ">="), ("< =", "<="), ("! =", "!=")):
        sql = sql.replace(wide, narrow)
    sql = re.sub(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", "2020", sql, flags=re.IGNORECASE)
    return re.sub(r"""('[^']*'|"[^"]*")|\bdistinct\b""", lambda m: m.group(1) or "", sql,
                  flags=re.IGNORECASE)  # fmt: skip


def compare(
    system: str, tasks: Mapping[str, Task], predictions: Mapping[str, str], official: Any
) -> tuple[int, int, int, list[Difference]]:
    """Judged rows, how many ours and theirs call correct, and where they differ."""
    samples = [
        Sample(task_id, 0, sql, "train")
        for task_id, sql in predictions.items()
        if task_id in tasks and sql.strip()
    ]
    with Sandbox(SandboxConfig(timeout_s=LIMIT_S)) as sandbox:
        verdicts = Grader(sandbox).grade(tasks, samples)
    differences, ours, theirs = [], 0, 0
    for sample in samples:
        verdict = verdicts[sample.key]
        says = official(tasks[sample.task_id], sample.completion)
        ours += verdict.kind.value == "correct"
        theirs += says
        if says != (verdict.kind.value == "correct"):
            why = f"{verdict.detail} | {' '.join(sample.completion.split())}"
            differences.append(Difference(system, sample.task_id, verdict.kind.value, says, why))
    return len(samples), ours, theirs, differences


def compare_all(data: Path) -> tuple[list[tuple[str, int, int, int]], list[Difference]]:
    rows, differences = [], []
    sets = (
        (data / "spider", "spider", spider_systems(data), official_spider),
        (data / "bird" / "dev.json", "bird", bird_systems(data, mini=False), official_bird),
        (data / "bird" / "mini_dev_sqlite.json", "bird", bird_systems(data, mini=True),
         official_bird),
    )  # fmt: skip
    for source, match, systems, official in sets:
        options = ImportOptions(match=match)  # type: ignore[arg-type]
        tasks = {task.task_id: task for task in preview_set(source, options).tasks}
        for system, predictions in systems:
            judged, ours, theirs, differ = compare(system, tasks, predictions, official)
            rows.append((system, judged, ours, theirs))
            differences += differ
    return rows, differences


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true", help="the same: it takes a minute")
    options = parser.parse_args()
    rows, differences = compare_all(options.data)
    print(f"{'system':<45} {'n':>5} {'ours':>6} {'official':>9}")
    for system, judged, ours, theirs in rows:
        print(f"{system:<45} {judged:>5} {ours:>6} {theirs:>9}")
    for one in differences:
        print(f"{one.system} {one.task_id}: ours {one.ours}, official {one.official}: {one.why}")
    judged = sum(row[1] for row in rows)
    return finish([Claim("published_differ", len(differences), ceiling=0)], judged=judged)


if __name__ == "__main__":
    raise SystemExit(main())
