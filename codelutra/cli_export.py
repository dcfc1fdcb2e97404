"""The commands `export adapter` and `export bundle`: what a run made, for others."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.ledger import Ledger
from codelutra.run_folder import RunFolder

RUN = "a run's folder, or its number on the dashboard"


def add_commands(commands: Any) -> Any:
    """Returns what further kinds of export are added to."""
    export: Any = commands.add_parser("export", help="take out what a run made").add_subparsers(
        required=True, metavar="WHAT"
    )
    adapter = export.add_parser("adapter", help="a PEFT folder, or a whole model, with its card")
    adapter.add_argument("of_run", metavar="RUN", help=RUN)
    adapter.add_argument(
        "--iteration",
        default="promoted",
        metavar="N",
        help="promoted: the best one on validation tasks, the last without any (%(default)s)",
    )
    adapter.add_argument(
        "--out", type=Path, required=True, help="the folder to write, new or empty"
    )
    adapter.add_argument(
        "--merge", action="store_true", help="the whole model, the adapter merged into its base"
    )
    adapter.add_argument("--push", metavar="OWNER/NAME", help="and to this repository on the Hub")
    adapter.add_argument(
        "--public", action="store_true", help="make that repository public (default: private)"
    )
    adapter.set_defaults(run=_export_adapter)
    bundle = export.add_parser(
        "bundle", help="settings, versions, hashes and results of a run, to run it again"
    )
    bundle.add_argument("of_run", metavar="RUN", help=RUN)
    bundle.add_argument("--out", type=Path, required=True, metavar="FILE", help="bundle.zip")
    bundle.set_defaults(run=_export_bundle)
    return export


def _export_adapter(options: argparse.Namespace) -> int:
    from codelutra.export import choose, write_export
    from codelutra.hub_push import check_repo_name, push

    if options.public and not options.push:
        raise CodeLutraError("--public: there is nothing public without --push OWNER/NAME")
    if options.push:
        check_repo_name(options.push)
    out = options.out.expanduser().absolute()
    with opened_run(options.of_run) as ledger:
        chosen = choose(ledger, options.iteration)
        export = replace(chosen, is_merged=options.merge, repo=options.push or "")
        write_export(ledger, export, out)
        what = f"iteration {export.iteration} of {ledger.config.iterations}"
    print(f"{what}{', merged into its base,' if options.merge else ''} is in {out}")
    if options.push:
        print(f"pushed to {push(out, options.push, is_public=options.public)}")
    return 0


def _export_bundle(options: argparse.Namespace) -> int:
    from codelutra.bundle import write_bundle

    out = options.out.expanduser().absolute()
    name = f"Run {options.of_run}" if options.of_run.isdecimal() else ""
    with opened_run(options.of_run) as ledger:
        write_bundle(ledger, out, name=name)
    print(f"the bundle is in {out}: run it again with `refine --from {options.out}`")
    return 0


@contextmanager
def opened_run(name: str) -> Iterator[Ledger]:
    """The ledger of a run that is there: a folder, or a number of the dashboard."""
    if name.isdecimal():
        from codelutra.run_rows import read_run

        with read_run(int(name)) as rows:
            yield rows
    else:
        yield _ExistingRun.at(Path(name).expanduser())


class _ExistingRun(RunFolder):
    """A run's folder with the settings it holds."""

    @classmethod
    def at(cls, folder: Path) -> "_ExistingRun":
        path = folder / "config.json"
        try:
            config = RefineConfig.model_validate(json.loads(path.read_text("utf-8")))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CodeLutraError(
                f"{folder} holds no run: give the folder that `refine --out` wrote, "
                "or the number of a run on the dashboard"
            ) from error
        except ValueError as error:
            raise CodeLutraError(
                f"{path} holds no settings of a run ({_reason(error)}): give a run's folder, "
                "or use the version that made this one"
            ) from error
        return cls(folder, config)

    def _check_config(self, path: Path) -> None:
        """They come from that file. Settings that are newer than it have their defaults."""


def _reason(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "it is no JSON"
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
