"""The system calls a program's process may make: an allow-list as a seccomp filter.

No process or thread, no socket, no signal to another, no write access to any file. A call that
is not listed fails with EPERM; a foreign architecture (x32 as well) ends the process. An
interpreter that is executed behind the filter may have threads and wait for events besides.
"""

import ctypes
import errno
import functools
import os
import platform
import struct
from dataclasses import dataclass

import fences

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
LOAD, RETURN = 0x20, 0x06
JUMP_EQUAL, JUMP_ABOVE, JUMP_AT_LEAST, JUMP_ANY_BIT = 0x15, 0x25, 0x35, 0x45
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
X32_BIT = 0x40000000
WRITE_FLAGS = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
CLONE_THREAD = 0x10000
IOCTLS = (0x5450, 0x5451, 0x5421)  # FIONCLEX, FIOCLEX, FIONBIO: flags of a descriptor
F_SETFL, F_DUPFD_CLOEXEC = 4, 1030  # fcntl: up to F_SETFL only flags and copies, beyond it leases
# and owners, by which the kernel sends any signal to any process of the user
HIT, MISS = -1, -2  # jumps of a search, to be resolved
Instruction = tuple[int, int, int, int]  # code, jump if so, jump if not, operand
CLONE3 = 435  # everywhere; ENOSYS makes the C library fall back to clone, which is denied


@dataclass(frozen=True)
class Machine:
    """An architecture's audit number and calls; those with a field have a rule."""

    audit: int
    fcntl: int
    openat: int
    prlimit64: int
    sendto: int
    recvfrom: int
    clone: int
    ioctl: int
    calls: str
    exec_calls: str


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        fcntl=72,
        openat=257,
        prlimit64=302,
        sendto=44,
        recvfrom=45,
        clone=56,
        ioctl=16,
        exec_calls="""
        execve=59 set_tid_address=218 epoll_create1=291 epoll_ctl=233 epoll_wait=232 epoll_pwait=281
        eventfd2=290 pipe=22 pipe2=293 capget=125
        """,
        calls="""
        read=0 write=1 close=3 lseek=8 pread64=17 readv=19 writev=20 fstat=5 stat=4 lstat=6
        newfstatat=262 statx=332 getdents64=217 getcwd=79 readlink=89 readlinkat=267 access=21
        faccessat=269 faccessat2=439 dup=32 dup2=33 dup3=292 poll=7 ppoll=271 select=23
        pselect6=270 mmap=9 munmap=11 mprotect=10 mremap=25 madvise=28 brk=12 futex=202
        membarrier=324 set_robust_list=273 rseq=334 arch_prctl=158 rt_sigaction=13 rt_sigprocmask=14
        rt_sigreturn=15 rt_sigsuspend=130 rt_sigpending=127 rt_sigtimedwait=128 sigaltstack=131
        pause=34 alarm=37 setitimer=38 getitimer=36 restart_syscall=219 clock_gettime=228
        clock_getres=229 clock_nanosleep=230 nanosleep=35 gettimeofday=96 times=100 getrusage=98
        sysinfo=99 uname=63 getrandom=318 getpid=39 gettid=186 getppid=110 getpgrp=111 getpgid=121
        getsid=124 getuid=102 geteuid=107 getgid=104 getegid=108 getgroups=115 getrlimit=97
        sched_getaffinity=204 sched_yield=24 getcpu=309 fadvise64=221 statfs=137 fstatfs=138 exit=60
        exit_group=231
        """,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        fcntl=25,
        openat=56,
        prlimit64=261,
        sendto=206,
        recvfrom=207,
        clone=220,
        ioctl=29,
        exec_calls="""
        execve=221 set_tid_address=96 epoll_create1=20 epoll_ctl=21 epoll_pwait=22 eventfd2=19
        pipe2=59 capget=90
        """,
        calls="""
        read=63 write=64 close=57 lseek=62 pread64=67 readv=65 writev=66 fstat=80 newfstatat=79
        statx=291 getdents64=61 getcwd=17 readlinkat=78 faccessat=48 faccessat2=439 dup=23
        dup3=24 ppoll=73 pselect6=72 mmap=222 munmap=215 mprotect=226 mremap=216 madvise=233 brk=214
        futex=98 membarrier=283 set_robust_list=99 rseq=293 rt_sigaction=134 rt_sigprocmask=135
        rt_sigreturn=139 rt_sigsuspend=133 rt_sigpending=136 rt_sigtimedwait=137 sigaltstack=132
        setitimer=103 getitimer=102 restart_syscall=128 clock_gettime=113 clock_getres=114
        clock_nanosleep=115 nanosleep=101 gettimeofday=169 times=153 getrusage=165 sysinfo=179
        uname=160 getrandom=278 getpid=172 gettid=178 getppid=173 getpgid=155 getsid=156 getuid=174
        geteuid=175 getgid=176 getegid=177 getgroups=158 getrlimit=163 sched_getaffinity=123
        sched_yield=124 getcpu=168 fadvise64=223 statfs=43 fstatfs=44 exit=93 exit_group=94
        """,
    ),
}


def build_filter(may_open: bool, may_talk: bool, may_exec: bool = False) -> bytes:
    """The filter program. `may_open`: files, to read; `may_talk`: sockets already open.

    `may_exec`: what Landlock lets it, which then may have threads, but no process.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no system call table for {platform.machine()}")
    listed = machine.calls.split() + (machine.exec_calls.split() if may_exec else [])
    calls = {int(item.partition("=")[2]) for item in listed}
    if may_talk:
        calls |= {machine.sendto, machine.recvfrom}
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, machine.audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, KILL),
    ]
    program += allow(ranges(calls))
    program += [(JUMP_EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, ERRNO | errno.ENOSYS)]
    program += [  # prlimit64 on the process itself only (pid 0)
        (JUMP_EQUAL, 0, 3, machine.prlimit64),
        (LOAD, 0, 0, ARGUMENTS),
        (JUMP_EQUAL, 0, 1, 0),
        (RETURN, 0, 0, ALLOW),
    ]
    program += [
        (LOAD, 0, 0, NUMBER),
        (JUMP_EQUAL, 0, 4, machine.fcntl),
        (LOAD, 0, 0, ARGUMENTS + 1 * 8),
        (JUMP_EQUAL, 1, 0, F_DUPFD_CLOEXEC),
        (JUMP_ABOVE, 1, 0, F_SETFL),
        (RETURN, 0, 0, ALLOW),
    ]
    if may_open:
        program += [
            (LOAD, 0, 0, NUMBER),
            (JUMP_EQUAL, 0, 3, machine.openat),
            (LOAD, 0, 0, ARGUMENTS + 2 * 8),
            (JUMP_ANY_BIT, 1, 0, WRITE_FLAGS),
            (RETURN, 0, 0, ALLOW),
        ]
    if may_exec:
        program += [
            (LOAD, 0, 0, NUMBER),
            (JUMP_EQUAL, 0, 3, machine.clone),
            (LOAD, 0, 0, ARGUMENTS),
            (JUMP_ANY_BIT, 0, 1, CLONE_THREAD),
            (RETURN, 0, 0, ALLOW),
            (LOAD, 0, 0, NUMBER),
            (JUMP_EQUAL, 0, len(IOCTLS) + 3, machine.ioctl),
            (LOAD, 0, 0, ARGUMENTS + 1 * 8),
            *(
                (JUMP_EQUAL, len(IOCTLS) - place, 0, request)
                for place, request in enumerate(IOCTLS)
            ),
            (RETURN, 0, 0, ERRNO | errno.ENOTTY),
            (RETURN, 0, 0, ALLOW),
        ]
    program.append((RETURN, 0, 0, ERRNO | errno.EPERM))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def allow(runs: list[tuple[int, int]]) -> list[Instruction]:
    """Allows the loaded number when it is in one of `runs`, else goes on behind.

    A binary search: the kernel tries a new filter on every number there is, in every child.
    """
    steps = search(runs)
    targets = {HIT: len(steps), MISS: len(steps) + 1}
    program = []
    for place, (code, yes, no, operand) in enumerate(steps, 1):
        yes, no = (targets[jump] - place if jump in targets else jump for jump in (yes, no))
        program.append((code, yes, no, operand))
    return [*program, (RETURN, 0, 0, ALLOW)]


def search(runs: list[tuple[int, int]]) -> list[Instruction]:
    """Jumps are to HIT, to MISS, or over so many instructions."""
    if len(runs) == 1:
        first, last = runs[0]
        return [(JUMP_AT_LEAST, 0, MISS, first), (JUMP_ABOVE, MISS, HIT, last)]
    half = len(runs) // 2
    below, above = search(runs[:half]), search(runs[half:])
    return [(JUMP_AT_LEAST, len(below), 0, runs[half][0]), *below, *above]


def ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """The numbers as runs, first and last included."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


@functools.cache
def in_memory(program: bytes) -> tuple[int, object]:
    """The address of what the kernel reads, and what keeps it; made once, before the forks."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    buffer = ctypes.create_string_buffer(header, len(header))
    return ctypes.addressof(buffer), (buffer, instructions)


def install(program: bytes) -> None:
    """For good, for this process. Needs PR_SET_NO_NEW_PRIVS."""
    address, _ = in_memory(program)
    try:
        fences.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address)
    except OSError as error:
        raise OSError(error.errno, f"the kernel offers no seccomp filter: {error}") from None


def probe(program: bytes) -> None:
    """Installs the filter in a throw-away child; OSError when that does not work here."""
    in_memory(program)
    child = os.fork()
    if child == 0:
        try:
            fences.prctl(fences.PR_SET_NO_NEW_PRIVS, 1)
            install(program)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 1)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        reason = os.strerror(status) if status > 0 else f"signal {-status}"
        raise OSError(status, f"seccomp filters do not work on this machine: {reason}")
