"""Unpacks an archive that somebody uploaded: nothing leaves its folder, nothing fills the disk."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from codelutra.errors import TaskError

MAX_BYTES = 20 << 30  # unpacked; BIRD's databases together are 33 GB: import those as a folder
MAX_RATIO = 200  # unpacked to packed; text and databases stay far below
MAX_MEMBERS = 100_000
CHUNK = 1 << 20
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Raises TaskError before or while unpacking; `folder` is then to be thrown away.

    Links and devices are refused: a set has no use for them.
    """
    room = min(MAX_BYTES, MAX_RATIO * max(archive.stat().st_size, CHUNK))
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                write_all(archive, zip_members(opened), folder, room)
        else:
            with tarfile.open(archive) as opened:
                write_all(archive, tar_members(archive, opened), folder, room)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as e:
        raise TaskError(f"{archive}: not an archive that can be read ({e})") from e


def zip_members(opened: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in opened.infolist():
        if not member.is_dir():
            yield member.filename, opened.open(member)


def tar_members(archive: Path, opened: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in opened:
        if member.isdir():
            continue
        file = opened.extractfile(member) if member.isfile() else None
        if file is None:
            raise TaskError(f"{archive}: {member.name} is a link or a device, which no set needs")
        yield member.name, file


def write_all(
    archive: Path, members: Iterator[tuple[str, IO[bytes]]], folder: Path, room: int
) -> None:
    for number, (name, file) in enumerate(members):
        if number >= MAX_MEMBERS:
            raise TaskError(f"{archive}: more than {MAX_MEMBERS:,} files")
        target = folder / inside(archive, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with file, target.open("wb") as out:
            while part := file.read(CHUNK):
                room -= len(part)
                if room < 0:
                    raise TaskError(
                        f"{archive}: unpacks to more than {MAX_RATIO} times its size or "
                        f"{MAX_BYTES >> 30} GiB; unpack it yourself and import the folder"
                    )
                out.write(part)


def inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise TaskError(f"{archive}: {name!r} would be written outside its folder")
    return path
