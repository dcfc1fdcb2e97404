"""What a home holds that cannot be made again, as a list of files with their hashes.

The database as it was at one moment, the adapters, the newest checkpoint of a training under way,
task sets and quarantine, imports that wait, and the command line's runs. No logs, no tokens: what
is kept is an allow-list.
"""

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codelutra import __version__, snapshot_state
from codelutra.errors import BackupError
from codelutra.models import file_sha256
from storage import db, jobs, portable

FORMAT = 1
MANIFEST = "manifest.json"
MAX_MANIFEST = 64 << 20  # bytes
TREES = ("runs", "cli", "tasks", "quarantine", "imports")  # below the home
RESTORING = ".restoring"  # what is fetched lies here until it is whole
WORK = ".work"  # of a training under way
# Written once and then left alone: these are read where they are, all others from a copy.
LASTING = (".safetensors", ".pt", ".pth", ".bin")
BLOCK = 1 << 20


class KeptFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    path: str  # below the home, with slashes
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(BaseModel):
    format: int
    codelutra: str
    created_at: str
    home: str  # paths in the database are below it
    files: list[KeptFile]

    @property
    def num_bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Gathered:
    manifest: Manifest
    places: Mapping[str, Path]  # where each file of it can be read


def gather(home: Path, scratch: Path) -> Gathered:
    """Everything of `home` that is kept; the database and what may change is copied to `scratch`.

    The database comes first: an adapter is on disk before its row is written.
    """
    home = home.expanduser().absolute()
    if portable.is_empty(home):
        raise BackupError(f"there is no run in {home}: nothing to back up")
    jobs.prepare(home)
    scratch.mkdir(parents=True, exist_ok=True)
    places = {db.SQLITE_FILE: scratch / db.SQLITE_FILE}
    portable.write_copy(places[db.SQLITE_FILE])
    for number, path in enumerate(_kept_paths(home)):
        name, place = path.relative_to(home).as_posix(), path
        if path.suffix not in LASTING:
            place = scratch / str(number)
            try:
                shutil.copyfile(path, place)
            except FileNotFoundError:  # of a training that has just ended
                continue
        places[name] = place
    files = []
    for name, place in list(places.items()):
        try:
            file = KeptFile(path=name, sha256=file_sha256(place), bytes=place.stat().st_size)
        except FileNotFoundError:
            del places[name]
        else:
            files.append(file)
    created_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    manifest = Manifest(
        format=FORMAT, codelutra=__version__, created_at=created_at, home=str(home), files=files
    )
    return Gathered(manifest, places)


def write_backup(home: Path, out: Path) -> Manifest:
    """The zip `out`, whole or not at all."""
    if out.suffix != ".zip":
        raise BackupError(f"{out}: a backup is one file whose name ends with .zip")
    partial = out.with_name(out.name + ".partial")
    scratch = out.with_name(out.name + ".files")
    try:
        found = gather(home, scratch)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MANIFEST, found.manifest.model_dump_json(indent=1))
            for name, place in found.places.items():
                how = zipfile.ZIP_STORED if place.suffix in LASTING else zipfile.ZIP_DEFLATED
                archive.write(place, name, how)
        partial.replace(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        partial.unlink(missing_ok=True)
    return found.manifest


def read_backup(path: Path, home: Path) -> Manifest:
    """Restore what `write_backup` wrote into an empty or new `home`. Raises BackupError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(MANIFEST).file_size > MAX_MANIFEST:
                raise BackupError(f"{path}: its {MANIFEST} is too large to be a backup's")
            manifest = parse(archive.read(MANIFEST), str(path))
            unknown = set(archive.namelist()) - {file.path for file in manifest.files} - {MANIFEST}
            if unknown:
                raise BackupError(f"{path} holds {min(unknown)!r}, which its manifest does not")
            restore(manifest, lambda file: archive.open(file.path), home)
    except FileNotFoundError as error:
        raise BackupError(f"there is no file {path}") from error
    except (zipfile.BadZipFile, IsADirectoryError, KeyError) as error:
        raise BackupError(f"{path} is no whole backup: {error}") from error
    return manifest


def parse(text: bytes, source: str) -> Manifest:
    """Raises BackupError unless every path of it stays below the home."""
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise BackupError(f"{source} is no backup, {first['loc']}: {first['msg']}") from error
    if manifest.format != FORMAT:
        raise BackupError(
            f"{source} is of format {manifest.format}, this is for format {FORMAT}: "
            f"use CodeLutra {manifest.codelutra}, which wrote it"
        )
    names = [file.path for file in manifest.files]
    for name in names:
        if not _is_safe(name):
            raise BackupError(f"{source} would write to {name!r}: this is no backup of CodeLutra")
    if db.SQLITE_FILE not in names or len(set(names)) < len(names):
        raise BackupError(f"{source} is damaged: its list of files has no database, or doubles")
    return manifest


def restore(
    manifest: Manifest,
    opened: Callable[[KeptFile], IO[bytes]],
    home: Path,
    *,
    with_database: bool = True,
) -> None:
    """Fetch every file, verify it, and only then put them in place, the database last.

    A restore that was cut short is begun anew by the next one. Without the database: where a
    Postgres still has it.
    """
    home = home.expanduser().absolute()
    _refuse_used(home, with_database=with_database)
    staging = home / RESTORING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    free = shutil.disk_usage(home).free
    if manifest.num_bytes > free:
        raise BackupError(f"{manifest.num_bytes:,} bytes are needed on {home}, {free:,} are free")
    try:
        for file in manifest.files:
            with opened(file) as source:
                _fetch(file, source, staging / file.path)
        _move_paths(staging, manifest.home, str(home))
        for tree in TREES:
            shutil.rmtree(home / tree, ignore_errors=True)  # of a restore that was cut short
            if (staging / tree).is_dir():
                (staging / tree).replace(home / tree)
        if with_database:
            copy = staging / db.SQLITE_FILE
            portable.adopt_copy(copy, old_home=manifest.home, home=home)
    except db.StorageError as error:
        raise BackupError(str(error)) from error
    shutil.rmtree(staging)


def _refuse_used(home: Path, *, with_database: bool) -> None:
    if not is_unused(home):
        raise BackupError(
            f"{home} is in use: restore into a new or empty folder (CODELUTRA_HOME), "
            "or move that one away first"
        )
    try:
        if with_database and not portable.is_empty(home):
            raise BackupError("DATABASE_URL has runs already: restore into a new, empty database")
    except db.StorageError as error:
        raise BackupError(str(error)) from error


def is_unused(home: Path) -> bool:
    """Nothing is there but what makes itself again."""
    names = {path.name for path in home.iterdir()} if home.is_dir() else set()
    if RESTORING in names:  # cut short: what lies there is its own, as long as it had no database
        return db.SQLITE_FILE not in names
    made = {"starter", snapshot_state.FILE}
    return all(name in made or name.endswith((".lock", ".log")) for name in names)


def _kept_paths(home: Path) -> Iterator[Path]:
    """Links are not followed: they may lead anywhere."""
    for tree in TREES:
        for path in sorted((home / tree).rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            parts = path.relative_to(home).parts
            if any(link.is_symlink() for link in path.parents if home in link.parents):
                continue
            if tree in ("runs", "cli") and not _is_of_run(path, parts):
                continue
            yield path


def _is_of_run(path: Path, parts: tuple[str, ...]) -> bool:
    """Of a run's folder: all but logs, half-written adapters and older checkpoints."""
    if path.suffix in (".log", ".partial") or any(part.endswith(".partial") for part in parts):
        return False
    place = next((i for i, part in enumerate(parts) if part.endswith(WORK)), None)
    if place is None:
        return "logs" not in parts
    up = len(parts) - place - 2
    newest = _newest_checkpoint(path.parents[up]) if up >= 0 else None
    return newest is not None and newest in path.parents


def _newest_checkpoint(work: Path) -> Path | None:
    sealed = [seal.parent for seal in work.glob("checkpoint-*/sealed.json")]
    return max(sealed, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    if name != str(path) or ".." in path.parts or any(sign in name for sign in "\\\0:"):
        return False
    return name == db.SQLITE_FILE or (len(path.parts) > 1 and path.parts[0] in TREES)


def _fetch(file: KeptFile, source: IO[bytes], place: Path) -> None:
    """Not a byte more than the manifest says."""
    place.parent.mkdir(parents=True, exist_ok=True)
    left = file.bytes
    with place.open("wb") as out:
        while left and (block := source.read(min(BLOCK, left))):
            out.write(block)
            left -= len(block)
        is_longer = bool(source.read(1))
    if left or is_longer or file_sha256(place) != file.sha256:
        raise BackupError(f"{file.path} in the backup is damaged: use an older backup")


def _move_paths(staging: Path, old: str, home: str) -> None:
    """Files of task sets and runs name others by their whole path."""
    before, after = (json.dumps(place + "/").rstrip('"') for place in (old, home))
    if before == after:
        return
    for pattern in ("tasks/*/*.jsonl", "cli/*/*.json", "cli/*/*.jsonl"):
        for path in staging.glob(pattern):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(before, after), encoding="utf-8")
