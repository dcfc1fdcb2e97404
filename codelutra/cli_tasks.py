"""The commands about task sets: list, import, check."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import CodeLutraError

PREVIEW = 5  # prompts shown of a set that is imported


def add_commands(commands: Any, add_unsafe: Callable[[argparse.ArgumentParser], None]) -> None:
    tasks = commands.add_parser("tasks", help="task sets").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = tasks.add_parser("list", help="the task sets by name")
    listing.set_defaults(run=_tasks_list)
    importing = tasks.add_parser("import", help="keep a published set, or your own, by a name")
    importing.add_argument(
        "source", help="a file, a folder, a .zip or .tar archive, or hub:OWNER/NAME[/FILE]"
    )
    importing.add_argument("--name", required=True, help="what it is called from now on")
    importing.add_argument(
        "--heldout", type=float, default=0.3, help="share of the tasks held out (%(default)s)"
    )
    importing.add_argument("--seed", type=int, default=0, help="of the split (%(default)s)")
    importing.add_argument(
        "--split-by",
        choices=("family", "task"),
        default="family",
        help="family (a database) keeps related tasks on one side (%(default)s)",
    )
    importing.add_argument(
        "--match",
        choices=("exact", "bird", "spider"),
        default="exact",
        help="how rows are compared: ours, or as those benchmarks do (%(default)s)",
    )
    importing.add_argument(
        "--drop-leaks",
        action="store_true",
        help="leave out training tasks that give a held-out one away",
    )
    importing.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        dest="columns",
        help="for files with columns of their own; FIELD==TEXT is a constant (repeatable)",
    )
    importing.add_argument("--template", type=Path, help="a file: the prompt with {parts} in it")
    importing.set_defaults(run=_tasks_import)
    check = tasks.add_parser("check", help="run every gold program; print one JSON summary")
    add_unsafe(check)
    check.add_argument("name", help="a task set's name or a JSONL file")
    check.add_argument(
        "--quarantine",
        action="store_true",
        help="leave tasks whose gold fails, or is not the same twice, out of new runs",
    )
    check.set_defaults(run=_tasks_check)


def _tasks_list(options: argparse.Namespace) -> int:
    from codelutra.tasks import list_task_sets, load_tasks

    for name in list_task_sets():
        tasks = load_tasks(name)
        train = sum(task.split == "train" for task in tasks)
        print(f"{name}\t{train} train\t{len(tasks) - train} held-out")
    return 0


def columns_of(settings: Sequence[str]) -> dict[str, str]:
    """From FIELD=COLUMN; raises CodeLutraError."""
    columns = {}
    for setting in settings:
        field, separator, column = setting.partition("=")
        if not separator or not field or not column:
            raise CodeLutraError(f"--map {setting}: write FIELD=COLUMN, e.g. prompt=question")
        columns[field.strip()] = column
    return columns


def _tasks_import(options: argparse.Namespace) -> int:
    from codelutra.tasks.stored import ImportOptions, import_set

    if not 0 <= options.heldout <= 1:
        raise CodeLutraError(f"--heldout {options.heldout}: write a share between 0 and 1")
    template = options.template.read_text("utf-8") if options.template else ""
    stored, tasks = import_set(
        options.source,
        options.name,
        ImportOptions(
            heldout_share=options.heldout,
            split_by=options.split_by,
            seed=options.seed,
            match=options.match,
            template=template,
            drop_leaks=options.drop_leaks,
            columns=columns_of(options.columns),
        ),
    )
    for task in tasks[:PREVIEW]:
        print(f"--- {task.task_id} ({task.split}, {task.family})\n{task.prompt}")
    heldout = sum(task.split == "heldout" for task in tasks)
    families = len({task.family for task in tasks})
    print(
        f"--- {stored.name}: {len(tasks):,} tasks ({stored.format}) of {families:,} families, "
        f"{len(tasks) - heldout:,} train, {heldout:,} held-out"
    )
    if not 0 < heldout < len(tasks) and families < 2:
        print("one family only, so all are on one side: --split-by task draws among its tasks")
    for reason, number in Counter(stored.left_out.values()).most_common():
        print(f"left out: {number:,} tasks, {reason}")
    for leak in stored.leaks[:PREVIEW]:
        print(f"leak: {leak.train_id} (train) gives {leak.heldout_id} away: {leak.reason}")
    if stored.leaks:
        away = len({leak.heldout_id for leak in stored.leaks})
        print(
            f"{away:,} of {heldout:,} held-out tasks are given away: --drop-leaks leaves those out"
        )
    return 0


def _tasks_check(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from codelutra.tasks import load_tasks
    from codelutra.tasks.findings import NO_LABEL
    from codelutra.tasks.health import find_problems, summarise
    from codelutra.tasks.quarantine import quarantine

    tasks = load_tasks(options.name)
    started = time.monotonic()
    with tqdm(desc="golds", total=len(tasks)) as bar:
        findings = find_problems(tasks, lambda done: bar.update(done - bar.n) and None)
    if options.quarantine:
        bad = {one.task_id: f"{one.problem}: {one.reason}" for one in findings
               if one.problem in NO_LABEL}  # fmt: skip
        quarantine(options.name, bad)
        print(f"{len(bad):,} tasks are in quarantine now", file=sys.stderr)
    print(json.dumps(summarise(tasks, findings, time.monotonic() - started)))
    return 0
