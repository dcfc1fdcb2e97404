"""The commands `export pairs` and `import pairs`: preference pairs to and from files."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from codelutra.cli_export import opened_run
from codelutra.errors import CodeLutraError
from codelutra.pair_export import TRAINING, WHICH, Tally

SHOWN = 20  # problems of a file


def add_commands(
    commands: Any, export: Any, add_unsafe: Callable[[argparse.ArgumentParser], None]
) -> None:
    pairs = export.add_parser("pairs", help="JSONL or Parquet for TRL's trainers")
    pairs.add_argument(
        "of_run", metavar="RUN", help="a run's folder, or its number on the dashboard"
    )
    pairs.add_argument(
        "--iteration", type=int, metavar="N", help="of this one alone (default: all)"
    )
    pairs.add_argument(
        "--state",
        choices=WHICH,
        default=TRAINING,
        help="training: all that training reads or has read, without the vetoed (%(default)s)",
    )
    pairs.add_argument(
        "--out", type=Path, required=True, help="the file to write: .jsonl or .parquet"
    )
    pairs.add_argument("--push", metavar="OWNER/NAME", help="and to this dataset on the Hub")
    pairs.add_argument(
        "--public", action="store_true", help="make that dataset public (default: private)"
    )
    pairs.set_defaults(run=_export)
    given = commands.add_parser("import", help="bring in what was made elsewhere").add_subparsers(
        required=True, metavar="WHAT"
    )
    pairs = given.add_parser("pairs", help="prompt, chosen, rejected; executed where known")
    pairs.add_argument(
        "file", help=".jsonl or .parquet, as `export pairs` writes it, or hub:OWNER/NAME[/FILE]"
    )
    pairs.add_argument("--run", type=int, required=True, dest="to_run", help="a dashboard's run")
    pairs.add_argument(
        "--skip-bad", action="store_true", help="leave bad rows out instead of storing nothing"
    )
    add_unsafe(pairs)
    pairs.set_defaults(run=_import)


def _export(options: argparse.Namespace) -> int:
    from codelutra.hub_push import check_repo_name
    from codelutra.pair_export import check_out, export_folder
    from codelutra.run_folder import RunFolder

    if options.public and not options.push:
        raise CodeLutraError("--public: there is nothing public without --push OWNER/NAME")
    if options.push:
        check_repo_name(options.push)
    out = options.out.expanduser().absolute()
    check_out(out)
    with opened_run(options.of_run) as ledger:
        if isinstance(ledger, RunFolder):
            tally = export_folder(ledger, out, options.state, options.iteration)
        else:
            from codelutra.pair_rows import export_run

            tally = export_run(int(options.of_run), out, options.state, options.iteration)
    print(f"{tally.total:,} pairs are in {out}")
    if options.push:
        print(f"pushed to {_push(options, ledger.config, out, tally)}")
    return 0


def _push(options: argparse.Namespace, config: Any, out: Path, tally: Tally) -> str:
    """The folder that is pushed goes when it has been, and stays when it has not."""
    from codelutra.hub_push import push
    from codelutra.pair_card import DatasetCard

    folder = out.with_name(out.name + ".dataset")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    name = f"pairs{out.suffix}"
    shutil.copyfile(out, folder / name)
    card = DatasetCard(options.push, name, config, options.state, tally).text()
    (folder / "README.md").write_text(card, "utf-8")
    address = push(folder, options.push, is_public=options.public, kind="dataset")
    shutil.rmtree(folder)
    return address


def _import(options: argparse.Namespace) -> int:
    from codelutra.import_rows import import_by_hand
    from codelutra.tasks.hub import PREFIX, fetch

    if options.file.startswith(PREFIX):
        found = fetch(options.file)
        path = found.path
        print(found.name)
    else:
        path = Path(options.file).expanduser()
    if not path.is_file():
        raise CodeLutraError(f"there is no file {path}")
    with tqdm(desc="execute", unit=" pairs") as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = import_by_hand(options.to_run, path, skip_bad=options.skip_bad, report=report)
    for problem in result.problems[:SHOWN]:
        print(f"error: {path}, line {problem.line}: {problem.reason}", file=sys.stderr)
    if result.num_refused > SHOWN:
        print(f"error: and {result.num_refused - SHOWN:,} more", file=sys.stderr)
    print(result.words + ("" if result.is_stored else " (--skip-bad leaves them out)"))
    return 0 if result.is_stored else 2
