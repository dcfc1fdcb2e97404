"""An archive is somebody else's: nothing leaves its folder, nothing fills the disk."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from codelutra.errors import TaskError
from codelutra.tasks.archive import is_archive, unpack


def make_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


def make_tar(path: Path, member: tarfile.TarInfo, data: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as opened:
        member.size = len(data)
        opened.addfile(member, io.BytesIO(data))
    return path


def test_both_kinds_are_unpacked(tmp_path: Path) -> None:
    unpack(make_zip(tmp_path / "a.zip", **{"set/a.txt": b"zip"}), tmp_path / "z")
    unpack(make_tar(tmp_path / "a.tgz", tarfile.TarInfo("set/a.txt"), b"tar"), tmp_path / "t")
    assert (tmp_path / "z/set/a.txt").read_bytes() == b"zip"
    assert (tmp_path / "t/set/a.txt").read_bytes() == b"tar"
    assert is_archive(Path("A.TAR.GZ"))
    assert not is_archive(Path("rows.jsonl.gz"))


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    made = (
        make_zip(tmp_path / "a.zip", **{name: b"x"}),
        make_tar(tmp_path / "a.tar.gz", tarfile.TarInfo(name), b"x"),
    )
    for archive in made:
        with pytest.raises(TaskError, match="would be written outside"):
            unpack(archive, tmp_path / "deep" / "folder")
    assert {path.name for path in tmp_path.rglob("*")} <= {"a.zip", "a.tar.gz", "deep", "folder"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(TaskError, match="link is a link or a device"):
        unpack(make_tar(tmp_path / "a.tar.gz", member), tmp_path / "out")


def test_a_bomb_ends_at_its_limit(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", **{f"{n}": bytes(30 << 20) for n in range(10)})
    assert archive.stat().st_size < 1 << 20
    with pytest.raises(TaskError, match="unpacks to more than 200 times its size"):
        unpack(archive, tmp_path / "out")
    assert sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) <= 201 << 20


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codelutra.tasks.archive.MAX_MEMBERS", 3)
    with pytest.raises(TaskError, match="more than 3 files"):
        unpack(make_zip(tmp_path / "a.zip", a=b"", b=b"", c=b"", d=b""), tmp_path / "out")


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    for name, data in (("a.zip", b"no zip"), ("a.tar.gz", b"\x1f\x8bno")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(TaskError, match="not an archive that can be read"):
            unpack(tmp_path / name, tmp_path / "out")
