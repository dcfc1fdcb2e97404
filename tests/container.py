"""A container without Docker: what the Dockerfile makes, in namespaces of its own. For root.

    unshare --mount --pid --fork --mount-proc python -m tests.container IMAGE PROFILE [NAME=VALUE]

IMAGE is a folder that holds the Dockerfile and what it copies. Its command is run as process 1 and
as its user, in a WORKDIR that is read-only, with an empty HOME and /tmp, none of root's files, and
behind Docker's seccomp profile: PROFILE is a file in Docker's own format. Where that is '', the
calls are denied that Docker's documentation names (docs.docker.com/engine/security/seccomp, from
moby's profiles/seccomp/default.json). The interpreter and its packages are this machine's.
"""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HIDDEN = ("/root", "/home", "/tmp")
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET
NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
DENIED = """
    acct add_key bpf clock_adjtime clock_settime delete_module fanotify_init finit_module
    fsconfig fsmount fsopen fspick get_mempolicy init_module io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount
    mount_setattr move_mount move_pages open_by_handle_at open_tree perf_event_open pivot_root
    process_vm_readv process_vm_writev ptrace quotactl reboot request_key set_mempolicy
    setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 unshare userfaultfd
    vhangup
"""


@dataclass(frozen=True)
class Image:
    """Of the Dockerfile, what decides how its command runs."""

    copied: list[tuple[str, str]]  # from, to
    environment: dict[str, str]
    workdir: str
    user: str
    command: list[str]


def dockerfile(folder: Path) -> Image:
    told: dict[str, list[str]] = {}
    for line in (folder / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            word, rest = line.split(None, 1)
            told.setdefault(word, []).append(rest)
    copied = [
        (source, words[-1]) for words in map(str.split, told["COPY"]) for source in words[:-1]
    ]
    pairs = [pair.split("=", 1) for rest in told["ENV"] for pair in shlex.split(rest)]
    command = json.loads(told["CMD"][-1])
    return Image(copied, dict(pairs), told["WORKDIR"][0], told["USER"][0], command)


def main() -> None:
    folder, profile, *settings = sys.argv[1:]
    image = dockerfile(Path(folder))
    uid = int(image.user)
    rules = _rules(profile, uid)
    _enter(Path(folder), image, uid)
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    given = dict(each.split("=", 1) for each in settings)
    os.chdir(image.workdir)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    rules.load()
    os.execvpe(image.command[0], image.command, {"PATH": path, **image.environment, **given})


def _enter(folder: Path, image: Image, uid: int) -> None:
    """The files that its user sees."""
    # What has to be seen although it may lie in a place that is to be empty.
    python = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()}
    held = {place: os.open(place, os.O_PATH) for place in (*python, folder)}
    for place in HIDDEN:
        _mount("-t", "tmpfs", "-o", f"mode={'1777' if place == '/tmp' else '755'}", "none", place)
    for place in python:
        if not place.exists():
            place.mkdir(parents=True)
            _mount("--bind", f"/proc/self/fd/{held[place]}", str(place), held=held[place])
    home, workdir = Path(image.environment["HOME"]), Path(image.workdir)
    workdir.mkdir(parents=True)
    os.chown(home, uid, uid)
    _mount("-t", "tmpfs", "none", str(workdir))
    for source, target in image.copied:
        _copy(Path(f"/proc/self/fd/{held[folder]}") / source, workdir / target)
    _mount("-o", "remount,ro", str(workdir))
    for descriptor in held.values():
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _mount(*words: str, held: int | None = None) -> None:
    subprocess.run(
        ["mount", "--no-canonicalize", *words], check=True, pass_fds=[] if held is None else [held]
    )


def _rules(profile: str, uid: int) -> Any:
    """To be loaded as the user."""
    import pyseccomp

    if profile:
        from tests.sandbox.enter_condition import prepared

        return prepared(Path(profile), uid)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in DENIED.split():
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
    for flag in NAMESPACES:
        one = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag)
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", one)
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags cannot be looked at
    return rules


if __name__ == "__main__":
    main()
