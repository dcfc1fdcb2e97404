"""The commands `pull adapter` and `pull dataset`: what others made, to start from."""

import argparse
import shutil
from pathlib import Path
from typing import Any

from codelutra.errors import CodeLutraError


def add_commands(commands: Any) -> None:
    pull = commands.add_parser("pull", help="bring here what others made").add_subparsers(
        required=True, metavar="WHAT"
    )
    adapter = pull.add_parser("adapter", help="a LoRA of the Hub, or of a folder")
    adapter.add_argument("source", metavar="OWNER/NAME[@REVISION]", help="or a folder that is here")
    adapter.add_argument(
        "--out", type=Path, required=True, help="the folder to write, new or empty"
    )
    adapter.add_argument(
        "--merge", action="store_true", help="the whole model, for `refine --model` to start from"
    )
    adapter.add_argument(
        "--base", default="", metavar="MODEL", help="where its base is, if not where it says"
    )
    adapter.set_defaults(run=_pull_adapter)
    dataset = pull.add_parser("dataset", help="a file of a dataset: preference pairs, or tasks")
    dataset.add_argument("source", metavar="OWNER/NAME[@REVISION][/FILE]")
    dataset.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    dataset.set_defaults(run=_pull_dataset)


def _pull_adapter(options: argparse.Namespace) -> int:
    from codelutra.hub_pull import pull_adapter

    out = options.out.expanduser().absolute()
    adapter = pull_adapter(options.source, out, base=options.base, is_merged=options.merge)
    print(f"{options.source}: adapter sha256 {adapter.sha256} for {adapter.base_model}")
    if options.merge:
        print(f"merged into its base it is in {out}: start with `refine --model {options.out}`")
    else:
        print(f"it is in {out}: Compare takes it, and --merge makes a model to start from")
    return 0


def _pull_dataset(options: argparse.Namespace) -> int:
    from codelutra.models import file_sha256
    from codelutra.tasks.hub import PREFIX, SUFFIXES, fetch

    out = options.out.expanduser().absolute()
    if out.exists():
        raise CodeLutraError(f"{out} exists: give another --out, or take it away")
    found = fetch(PREFIX + options.source.removeprefix(PREFIX))
    if not any(found.name.endswith(end) and out.name.endswith(end) for end in SUFFIXES):
        raise CodeLutraError(
            f"{found.name}: it must be one of {', '.join(SUFFIXES)}, and --out end as it does"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found.path, out)
    print(f"{found.name}, sha256 {file_sha256(out)}")
    print(f"it is in {out}: see `import pairs` and `tasks import`")
    return 0
