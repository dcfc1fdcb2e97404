"""Do our verdicts agree with others'? `python -m benchmarks.published [--quick] [--data FOLDER]`

Published predictions for Spider and BIRD, judged by us and by the benchmarks' own definitions
(restated in `official_sql.py`), and published completions for HumanEval+ and MBPP+ beside the
verdicts that EvalPlus gave them. Each difference is listed. FOLDER holds the sets as published; the
project contains none of them (CODELUTRA_DATA by default).
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from benchmarks import published_programs
from benchmarks.claims import Claim, finish
from benchmarks.official_sql import bird_says, spider_says
from codelutra.config import SandboxConfig
from codelutra.grading import Grader
from codelutra.records import Sample
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, formats
from codelutra.tasks.template import fill

SPIDER = ("c3-chatgpt-spider", "pred_sqls-codes-15b-spider", "pred_sqls-codes-1b-spider")
BIRD = {
    "predict_mini_dev_gpt-4_sqlite": "mini_dev_sqlite.json",
    "predict_mini_dev_meta-llama-3-8b-instruct-2_sqlite": "mini_dev_sqlite.json",
    "predict_dev-codes-15b-bird-with-evidence": "dev.json",
}


@dataclass(frozen=True)
class Compared:
    """One system: how many of its n predictions are correct by both, and where they differ."""

    name: str
    n: int
    ours: int
    theirs: int
    differences: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the plus inputs")
    parser.add_argument("--data", type=Path, default=os.environ.get("CODELUTRA_DATA"))
    options = parser.parse_args()
    if options.data is None or not options.data.is_dir():
        parser.error("name the folder of the published sets: --data or CODELUTRA_DATA")
    compared = []
    with Sandbox(SandboxConfig()) as sandbox:
        for each in chain(sql_systems(options.data, sandbox), programs(options, sandbox)):
            show(each)
            compared.append(each)
    claims = [
        Claim(
            f"{kind}_differences",
            sum(len(c.differences) for c in compared if kind in c.name),
            ceiling=0,
        )
        for kind in ("spider", "bird")
    ]
    unexplained = sum(
        "unexplained" in line
        for c in compared
        if "+" in c.name or "base" in c.name
        for line in c.differences
    )
    return finish([*claims, Claim("evalplus_unexplained", unexplained, ceiling=0)])


def show(compared: Compared) -> None:
    rates = f"{compared.ours / compared.n:6.1%} ours {compared.theirs / compared.n:6.1%} theirs"
    print(f"{compared.name:<58} n {compared.n:>4}  {rates}  {len(compared.differences):>3} differ")
    for line in compared.differences:
        print("   ", line)


def sql_systems(data: Path, sandbox: Sandbox) -> Iterator[Compared]:
    for name in SPIDER:
        lines = (data / "spider_pred" / f"{name}.txt").read_text("utf-8").splitlines()
        tasks = tasks_of(data / "spider" / "dev.json", "spider")
        predictions = {f"spider-{place}": line.split("\t")[0] for place, line in enumerate(lines)}
        yield compare_sql(name, tasks, predictions, spider_says, sandbox)
    for name, file in BIRD.items():
        path = data / "bird" / file
        rows = json.loads((data / "bird_pred" / f"{name}.json").read_text("utf-8"))
        ids = bird_ids(json.loads(path.read_text("utf-8")))
        predictions = {
            ids[int(place)]: str(each).split("\t----- bird -----\t")[0]
            for place, each in rows.items()
        }
        yield compare_sql(f"{name} (bird)", tasks_of(path, "bird"), predictions, bird_says, sandbox)


def bird_ids(rows: list[dict[str, object]]) -> list[str]:
    """As the loader names them: mini-dev has two numbers twice."""
    ids: list[str] = []
    for number, row in enumerate(rows, 1):
        name = f"bird-{row.get('question_id', number - 1)}"
        ids.append(f"{name}-row{number}" if name in ids else name)
    return ids


def tasks_of(path: Path, match: str) -> dict[str, Task]:
    published = formats.load(path)
    rows = [
        {"match": match, **d.task, "prompt": fill(published.template, d.parts)}
        for d in published.drafts
    ]
    return {row["task_id"]: Task.model_validate(row) for row in rows}


def compare_sql(
    name: str,
    tasks: dict[str, Task],
    predictions: dict[str, str],
    official: Callable[[str, str, str], bool],
    sandbox: Sandbox,
) -> Compared:
    samples = [Sample(task_id, 0, predictions[task_id]) for task_id in tasks]
    verdicts = Grader(sandbox).grade(tasks, samples)
    ours = {s.task_id: verdicts[s.key].kind == "correct" for s in samples}
    theirs = {i: official(predictions[i], t.gold, t.database) for i, t in tasks.items()}
    differences = [
        f"{i}: theirs {'right' if theirs[i] else 'wrong'}, ours {verdicts[i, 0].kind}, "
        f"{verdicts[i, 0].detail} | {one_line(predictions[i])} | {one_line(tasks[i].gold)}"
        for i in tasks
        if ours[i] != theirs[i]
    ]
    return Compared(name, len(tasks), sum(ours.values()), sum(theirs.values()), differences)


def one_line(query: str) -> str:
    return " ".join(query.split())


def programs(options: argparse.Namespace, sandbox: Sandbox) -> Iterator[Compared]:
    for each in published_programs.systems(options.data, sandbox, base_only=options.quick):
        yield Compared(*each)


if __name__ == "__main__":
    raise SystemExit(main())
