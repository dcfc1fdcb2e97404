"""The commands `backup`, `restore`, `migrate` and `clean`: nothing lost, and moved elsewhere."""

import argparse
from pathlib import Path
from typing import Any

from codelutra.config import home


def add_commands(commands: Any) -> None:
    backup = commands.add_parser("backup", help="everything that cannot be made again, as one zip")
    backup.add_argument("out", type=Path, metavar="OUT.zip")
    backup.set_defaults(run=_backup)
    restore = commands.add_parser("restore", help="a backup, into a new or empty CODELUTRA_HOME")
    restore.add_argument("file", type=Path, metavar="FILE.zip")
    restore.set_defaults(run=_restore)
    migrate = commands.add_parser("migrate", help="copy the database to an empty one elsewhere")
    migrate.add_argument("--to", required=True, metavar="postgresql://USER:PASSWORD@HOST/NAME")
    migrate.set_defaults(run=_migrate)
    clean = commands.add_parser("clean", help="delete what completed trainings left; never a row")
    clean.add_argument("--dry-run", action="store_true", help="only say what, with its bytes")
    clean.add_argument(
        "--adapter", action="append", default=[], metavar="RUN/ITERATION",
        help="this adapter, too, unless it is the promoted or the last one (repeatable)",
    )  # fmt: skip
    clean.set_defaults(run=_clean)


def _backup(options: argparse.Namespace) -> int:
    from codelutra.backup import write_backup

    made = write_backup(home(), options.out.expanduser())
    print(f"{len(made.files)} files, {made.num_bytes:,} bytes, are in {options.out}")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from codelutra.backup import read_backup

    made = read_backup(options.file.expanduser(), home())
    print(f"{len(made.files)} files of {made.created_at} are restored in {home()}")
    return 0


def _migrate(options: argparse.Namespace) -> int:
    from codelutra.moving import move

    for name, number in move(home(), options.to).items():
        if number:
            print(f"{number:>10,}  {name}")
    print("all rows arrived; start with DATABASE_URL set to that address from now on")
    return 0


def _clean(options: argparse.Namespace) -> int:
    from codelutra.cleaning import delete, find

    found = find(home(), options.adapter)
    for item in found:
        print(f"{item.num_bytes:>15,}  {item.path}  ({item.why})")
    if not options.dry_run:
        delete(found)
    done = "would be deleted" if options.dry_run else "are deleted"
    print(f"{sum(item.num_bytes for item in found):>15,}  bytes {done}")
    return 0
