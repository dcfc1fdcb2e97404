"""Every hostile program again: as root, as uid 1000, inside Docker's default seccomp profile."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import codelutra

ROOT = Path(codelutra.__file__).parents[1]
PROFILE = (
    Path(os.environ.get("CODELUTRA_DOCKER_PROFILE", ROOT.parent / "shared/data")).expanduser()
    / "docker-seccomp-default.json"
)
NOBODY = 1000
# Another user needs a Python that everybody may read, which one below /root is not.
PYTHON = os.environ.get("CODELUTRA_PYTHON_FOR_ALL", sys.executable)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def readable_copy() -> Iterator[Path]:
    """The code where any user can read it; pytest's own folders are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        model = shutil.ignore_patterns("model", "__pycache__")
        shutil.copytree(ROOT / "codelutra", folder / "codelutra", ignore=model)
        shutil.copytree(ROOT / "tests/sandbox", folder / "tests/sandbox", ignore=model)
        yield folder


@pytest.mark.parametrize("uid", [0, NOBODY])
@pytest.mark.parametrize("in_docker_profile", [False, True], ids=["plain", "docker"])
def test_every_hostile_program_is_contained(
    readable_copy: Path, uid: int, in_docker_profile: bool
) -> None:
    if in_docker_profile and not PROFILE.exists():
        pytest.skip(f"no {PROFILE}: name its folder in CODELUTRA_DOCKER_PROFILE")
    if uid != os.getuid() and os.getuid() != 0:
        pytest.skip("only root can become another user")
    if (uid, in_docker_profile) == (os.getuid(), False) and "CODELUTRA_FULL" not in os.environ:
        pytest.skip("the plain tests of this folder run each of them so")
    if not can_read_interpreter(uid):
        pytest.skip(f"user {uid} cannot read {PYTHON}: name one in CODELUTRA_PYTHON_FOR_ALL")
    arguments = [str(PROFILE) if in_docker_profile else "", str(uid)]
    done = subprocess.run(
        [PYTHON, "-m", "tests.sandbox.enter_condition", *arguments],
        cwd=readable_copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["uid"] == uid
    assert report["is_profiled"] is in_docker_profile
    assert report["programs"] > 300
    assert report["faults"] == []


def can_read_interpreter(uid: int) -> bool:
    """A Python below /root, say, runs for nobody else."""
    other = {} if uid == os.getuid() else {"user": uid, "group": uid, "extra_groups": []}
    command = [PYTHON, "-c", "import sqlite3, numpy, apsw, pyseccomp"]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, **other).returncode == 0  # type: ignore[call-overload, no-any-return]
    except PermissionError:
        return False
