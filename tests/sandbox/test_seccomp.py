"""The system call filter of both architectures, run by a small interpreter of its instructions."""

import errno
import struct
import sys
from pathlib import Path

import pytest

import codelutra.sandbox

sys.path.insert(0, str(Path(codelutra.sandbox.__file__).parent / "child"))
import seccomp

del sys.path[0]
# It tells the numbers of system calls; where libseccomp is missing it raises a RuntimeError.
pyseccomp = pytest.importorskip("pyseccomp", exc_type=(ImportError, RuntimeError))

ARCHITECTURES = {"x86_64": "X86_64", "aarch64": "AARCH64"}
# Calls that aarch64 never had; the C library uses the others in the list instead.
LEGACY = {
    *("access", "alarm", "arch_prctl", "dup2", "getpgrp", "lstat", "pause", "poll", "readlink"),
    *("select", "stat"),
}
FORBIDDEN = """
    clone fork vfork execve execveat kill tkill tgkill ptrace process_vm_readv
    process_vm_writev socket socketpair connect bind listen accept sendmsg recvmsg pidfd_open
    pidfd_send_signal pidfd_getfd prctl seccomp capset setuid setgid setresuid unshare setns
    mount umount2 chroot pivot_root chmod fchmod fchmodat chown fchownat unlink unlinkat
    rename renameat2 mkdir mkdirat rmdir symlink symlinkat link linkat truncate ftruncate
    creat open openat2 open_by_handle_at memfd_create memfd_secret io_uring_setup
    io_uring_enter bpf perf_event_open userfaultfd keyctl shmget msgget semget shmat mq_open
    inotify_init1 fanotify_init ioctl flock setpriority sched_setaffinity sched_setscheduler
    personality modify_ldt iopl reboot swapon init_module kexec_load landlock_restrict_self
    utimensat setxattr sendfile splice vmsplice process_madvise pipe pipe2 eventfd2
    timerfd_create signalfd4 epoll_create1 setsid setpgid rt_sigqueueinfo
"""


def verdict(program: bytes, audit: int, number: int, *arguments: int) -> int:
    """What the kernel would answer, by the classic BPF the filter consists of."""
    data = struct.pack("=iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    instructions = list(struct.iter_unpack("=HBBI", program))
    place, loaded = 0, 0
    while True:
        code, yes, no, operand = instructions[place]
        place += 1
        if code == seccomp.RETURN:
            return int(operand)
        if code == seccomp.LOAD:
            loaded = struct.unpack_from("=I", data, operand)[0]
            continue
        met = {
            seccomp.JUMP_EQUAL: loaded == operand,
            seccomp.JUMP_ABOVE: loaded > operand,
            seccomp.JUMP_AT_LEAST: loaded >= operand,
            seccomp.JUMP_ANY_BIT: bool(loaded & operand),
        }[code]
        place += yes if met else no


class Filter:
    def __init__(self, machine: str, may_open: bool = True, may_talk: bool = False) -> None:
        self.audit = seccomp.MACHINES[machine].audit
        self.architecture = getattr(pyseccomp.Arch, ARCHITECTURES[machine])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seccomp.platform, "machine", lambda: machine)
            self.program = seccomp.build_filter(may_open, may_talk)

    def number(self, name: str) -> int:
        """Negative where the architecture has no such call."""
        return int(pyseccomp.resolve_syscall(self.architecture, name))

    def allows(self, name: str, *arguments: int) -> bool:
        answer = verdict(self.program, self.audit, self.number(name), *arguments)
        assert answer in (seccomp.ALLOW, seccomp.ERRNO | errno.EPERM)
        return answer == seccomp.ALLOW


@pytest.fixture(params=list(ARCHITECTURES))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def listed(machine: str) -> dict[str, int]:
    table = seccomp.MACHINES[machine]
    calls = dict(item.split("=") for item in table.calls.split())
    fields = ("fcntl", "openat", "prlimit64", "sendto", "recvfrom")
    return {name: int(n) for name, n in calls.items()} | {n: getattr(table, n) for n in fields}


def test_every_number_is_the_one_libseccomp_knows(machine: str) -> None:
    known = Filter(machine)
    assert {name: known.number(name) for name in listed(machine)} == listed(machine)


def test_aarch64_has_every_call_that_exists_there() -> None:
    assert set(listed("x86_64")) - set(listed("aarch64")) == LEGACY
    assert set(listed("aarch64")) <= set(listed("x86_64"))
    assert all(Filter("aarch64").number(name) < 0 for name in LEGACY)


def test_every_listed_call_is_allowed(machine: str) -> None:
    calls = [item.partition("=")[0] for item in seccomp.MACHINES[machine].calls.split()]
    assert all(Filter(machine).allows(name) for name in calls)


def test_nothing_dangerous_is_allowed(machine: str) -> None:
    names = [name for name in FORBIDDEN.split() if Filter(machine).number(name) >= 0]
    assert len(names) > 80
    assert [name for name in names if Filter(machine).allows(name)] == []


def test_a_foreign_architecture_ends_the_process(machine: str) -> None:
    other = next(name for name in ARCHITECTURES if name != machine)
    foreign = seccomp.MACHINES[other].audit
    assert verdict(Filter(machine).program, foreign, 0) == seccomp.KILL
    assert (
        verdict(Filter(machine).program, seccomp.MACHINES[machine].audit, 1 << 30) == seccomp.KILL
    )


def test_files_open_to_read_only_and_only_where_landlock_says_which(machine: str) -> None:
    open_filter, shut_filter = Filter(machine), Filter(machine, may_open=False)
    assert open_filter.allows("openat", 0, 0, 0o2000000)  # O_RDONLY | O_CLOEXEC
    for flags in (0o1, 0o2, 0o100, 0o1001, 0o20000000 | 0o2):  # the last one is O_TMPFILE's kind
        assert not open_filter.allows("openat", 0, 0, flags)
    assert not shut_filter.allows("openat")


def test_limits_and_descriptors_are_the_process_s_own_only(machine: str) -> None:
    calls = Filter(machine)
    assert calls.allows("prlimit64", 0)
    assert not calls.allows("prlimit64", 1)
    allowed = [command for command in range(2000) if calls.allows("fcntl", 3, command)]
    assert allowed == [0, 1, 2, 3, 4, 1030]  # copies and flags; no owner, signal, lock or lease


def test_only_the_sql_worker_may_use_its_socket(machine: str) -> None:
    names = ("sendto", "recvfrom")
    assert not any(Filter(machine).allows(name) for name in names)
    assert all(Filter(machine, may_talk=True).allows(name) for name in names)


def test_clone3_asks_for_the_older_call(machine: str) -> None:
    answer = verdict(Filter(machine).program, seccomp.MACHINES[machine].audit, seccomp.CLONE3)
    assert answer == seccomp.ERRNO | errno.ENOSYS
