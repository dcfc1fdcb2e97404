"""The command line: the same engine without the web. Bad input: one line, exit code 2."""

import argparse
import errno
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codelutra import (
    __version__,
    cli_compare,
    cli_deploy,
    cli_export,
    cli_keep,
    cli_pairs,
    cli_pull,
    cli_report,
    cli_tasks,
)
from codelutra.config import (
    STARTER,
    UNSAFE,
    UNSAFE_HELP,
    RefineConfig,
    allow_unfenced,
    home,
    merge,
)
from codelutra.config_text import nested, parse_settings, problems_of, read_yaml
from codelutra.errors import CodeLutraError

OPTIONS = ("tasks", "model", "iterations", "seed", "max_train", "max_heldout")
WEAK_PROOF = "weak proof: the tests of {} tasks run beside the program, which could forge a pass"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.unsafe_local_execution:
        allow_unfenced()
    try:
        code: int = options.run(options)
        return code
    except CodeLutraError as error:
        return _fail(str(error))
    except ValidationError as error:
        path, message, given = problems_of(error)[0]
        return _fail(f"{path}: {message}, not {given!r}")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail(
                f"the disk is full ({error.filename or home()}): free some space, then "
                "run the same command again; what is finished is kept"
            )
        return _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on where this one stopped", file=sys.stderr)
        return 130


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m codelutra", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(unsafe_local_execution=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_refine(commands)
    _add_judge(commands)
    cli_tasks.add_commands(commands, _add_unsafe)
    cli_pairs.add_commands(commands, cli_export.add_commands(commands), _add_unsafe)
    cli_pull.add_commands(commands)
    cli_report.add_commands(commands)
    cli_compare.add_commands(commands, _add_unsafe)
    cli_keep.add_commands(commands)
    cli_deploy.add_commands(commands)
    worker = commands.add_parser("worker", help="run queued refinements until stopped")
    _add_unsafe(worker)
    worker.add_argument("--parent", type=int, help="stop when idle once this process is gone")
    worker.set_defaults(run=_worker)
    doctor = commands.add_parser("doctor", help="what this machine can do, and what is missing")
    _add_unsafe(doctor)
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    _add_settings(doctor, "of a run to estimate: ")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_refine(commands: Any) -> None:
    refine = commands.add_parser("refine", help="sample, execute, pair, train, evaluate, repeat")
    _add_settings(refine)
    refine.add_argument(
        "--from", dest="bundle", type=Path, metavar="BUNDLE",
        help="run again what `export bundle` took out; --tasks and --model say where they are here",
    )  # fmt: skip
    refine.add_argument("--smoke", action="store_true", help="try every phase on one task first")
    _add_unsafe(refine)
    refine.add_argument("--out", type=Path, help="the run's folder (default: by its settings)")
    refine.add_argument("--json", type=Path, help="write the summary here")
    refine.set_defaults(run=_refine)


def _add_settings(command: argparse.ArgumentParser, about: str = "") -> None:
    """The options that `config_from` reads."""
    command.add_argument(
        "--config", type=Path, help=f"{about}a YAML file of settings, under the other options"
    )
    command.add_argument("--tasks", help=f"{about}a task set's name or a JSONL file")
    command.add_argument("--model", help=f"{about}starter, a Hub id or a folder")
    for name in OPTIONS[2:]:
        field = RefineConfig.model_fields[name]
        command.add_argument(f"--{name.replace('_', '-')}", type=int, help=field.description)
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="any other setting, e.g. --set training.mode=dpo (repeatable)",
    )


def _add_judge(commands: Any) -> None:
    judge = commands.add_parser("judge", help="execute and grade a file of completions")
    judge.add_argument("--tasks", required=True, help="a task set's name or a JSONL file")
    judge.add_argument("--predictions", required=True, type=Path, help="JSONL: task_id, completion")
    judge.add_argument("--out", required=True, type=Path, help="verdicts, one JSON object a line")
    _add_unsafe(judge)
    judge.set_defaults(run=_judge)


def _add_unsafe(command: argparse.ArgumentParser) -> None:
    """The option of every command that runs programs."""
    command.add_argument(UNSAFE, action="store_true", help=UNSAFE_HELP)


def config_from(options: argparse.Namespace) -> RefineConfig:
    """The configuration that the options name; raises ValidationError or CodeLutraError."""
    changes: dict[str, Any] = {}
    if options.config:
        changes = read_yaml(options.config.read_text("utf-8", "replace"), str(options.config))
    named = {name: getattr(options, name) for name in OPTIONS}
    given = {name: value for name, value in named.items() if value is not None}
    changes = merge(changes, nested(given | parse_settings(options.settings)))
    return RefineConfig.for_model(changes.pop("model", STARTER), **changes)


def _refine(options: argparse.Namespace) -> int:
    from codelutra.cli_fit import print_smoke, warn
    from codelutra.loop import refine
    from codelutra.progress import ProgressBar
    from codelutra.rerun import Rerun
    from codelutra.run_folder import RunFolder
    from codelutra.smoke import smoke_of
    from codelutra.summary import run_summary
    from codelutra.tasks import load_tasks, select_tasks
    from codelutra.tasks.quarantine import leave_out_quarantined

    again = Rerun.of(options) if options.bundle else None
    whole = again.config if again else leave_out_quarantined(config_from(options))
    config = smoke_of(whole) if options.smoke else whole
    tasks = select_tasks(load_tasks(config.tasks), config)
    if again:
        for note in again.differences(tasks):
            print(f"note: {note}", file=sys.stderr)
    warn(config, tasks)
    with ProgressBar() as bar:
        folder = options.out or (again.folder if again else _default_folder(config))
        ledger = RunFolder(folder, config, bar.report)
        print(f"run folder: {ledger.folder}", file=sys.stderr)
        refine(ledger, tasks)
    summary = run_summary(ledger)
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")
    if options.smoke:
        print_smoke(ledger, whole)
    else:
        _print_table(summary)
    if again:
        print("\n".join(again.comparison(ledger)))
    return 0


def _default_folder(config: RefineConfig) -> Path:
    """One folder per configuration: the same command finds its own unfinished run.

    A smoke test is done anew every time.
    """
    if config.smoke:
        return home() / "cli" / f"smoke-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]
    return home() / "cli" / digest


def _print_table(summary: dict[str, Any]) -> None:
    if summary["run"]["is_unfenced"]:
        print(f"{UNSAFE}: programs ran WITHOUT a sandbox, verdicts could have been forged")
    if weak := summary["run"]["num_weak"]:
        print(WEAK_PROOF.format(weak))
    print("iteration  held-out pass@1 [95 % interval]     n  syntax errors  pairs  seconds")
    rows = [{"iteration": 0, "heldout": summary["base"]}, *summary["iterations"]]
    for row in rows:
        held = row["heldout"]
        low, high = held["ci95"]
        seconds = sum(row.get("seconds", {}).values())
        print(
            f"{row['iteration'] or 'base':>9}  {held['pass@1']:>7.1%} [{low:.1%}, {high:.1%}]"
            f"{held['n']:>14}  {held['syntax_error']:>13.1%}  {row.get('pairs', 0):>5}"
            f"  {seconds:>7.0f}"
        )
        for alert in row.get("alerts", ()):
            print(f"           ALERT {alert['seen']}. Try: {alert['advice']}.")
    if (promoted := summary["run"]["promoted"]) is not None:
        name = f"iteration {promoted}" if promoted else "the base: no iteration beats it"
        print(f"best on the validation tasks: {name}")


def _judge(options: argparse.Namespace) -> int:
    from codelutra.asserts import weak_proof
    from codelutra.judge import judge
    from codelutra.tasks import load_tasks

    tasks = {task.task_id: task for task in load_tasks(options.tasks)}
    broken, counts = judge(tasks, options.predictions, options.out)
    for message in broken:
        print(f"error: {message}", file=sys.stderr)
    shown = ", ".join(f"{number:,} {kind}" for kind, number in counts.most_common())
    print(f"{counts.total():,} rows judged: {shown}", file=sys.stderr)
    if weak := sum(map(weak_proof, tasks.values())):
        print(WEAK_PROOF.format(weak), file=sys.stderr)
    return 2 if broken else 0


def _worker(options: argparse.Namespace) -> int:
    from codelutra.worker import main as work

    code: int = work(home(), options.parent)
    return code


def _doctor(options: argparse.Namespace) -> int:
    from codelutra import cli_fit
    from codelutra.doctor import examine

    findings = examine()
    is_well = all(finding.ok or not finding.essential for finding in findings)
    rows = [vars(finding) for finding in findings]
    if not options.json:
        for finding in findings:
            print(f"{'ok' if finding.ok else '--':>3}  {finding.name:<10} {finding.detail}")
    if options.model or options.tasks:
        found = cli_fit.estimate_of(config_from(options))
        seconds = cli_fit.time_of(found.config, found.facts)
        is_well = is_well and all(need.state != "no" for need in found.needs)
        if options.json:
            print(json.dumps({"findings": rows, "estimate": cli_fit.as_json(found, seconds)}))
        else:
            cli_fit.print_estimate(found, seconds)
    elif options.json:
        print(json.dumps(rows))
    return 0 if is_well else 2
