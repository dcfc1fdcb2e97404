"""Hostile and bad Python programs: each gets its outcome, the next good program its answer."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from codelutra.sandbox import ExecutionResult, Sandbox

Run = Callable[[str], ExecutionResult]


CTYPES = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"

RUNTIME_ERRORS = {
    "exit_0": "import sys\nsys.exit(0)",
    "os_exit_0": "import os\nos._exit(0)",
    "keyboard_interrupt": "raise KeyboardInterrupt",
    "always_equal": "class A:\n def __eq__(self, o): return True\nresult = A()",
    "int_subclass": "class A(int):\n def __eq__(self, o): return True\nresult = A(1)",
    "list_subclass": "class A(list):\n def __eq__(self, o): return True\nresult = [A()]",
    "exception_with_hostile_str": "class E(Exception):\n def __str__(self): 1/0\nraise E",
    "no_answer": "x = 1",
    "closes_every_fd": "import os\nos.closerange(0, 100)\nresult = 1",
    "big_list": "result = [0] * 10**10",
    "huge_array": "import numpy as np\nresult = np.ones(10**10)",
    "result_100_mb": "result = 'x' * (100 << 20)",
    "result_many_values": "result = list(range(1_000_000))",
    "result_of_huge_int": "result = 10 ** 5000",
    "cyclic": "result = []\nresult.append(result)",
    "deep": "result = []\nfor _ in range(9999): result = [result]",
    "function": "result = lambda: 1",
    "fork": "import os\nwhile True: os.fork()",
    "thread": "import threading\nwhile True: threading.Thread(target=print).start()",
    "subprocess": "import subprocess\nsubprocess.run(['/bin/true'])",
    "execve": "import os\nos.execv('/bin/true', ['true'])",
    "kill_parent": "import os\nos.kill(os.getppid(), 9)",
    "kill_all": "import os\nos.kill(-1, 9)",
    "kill_group": "import os\nos.killpg(0, 9)",
    "prlimit_parent": "import os, resource\n"
    "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "parent_memory": "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')",
    "parent_environ": "import os\nopen(f'/proc/{os.getppid()}/environ', 'rb')",
    "own_environ": "open('/proc/self/environ', 'rb')",
    "list_proc": "import os\nos.listdir('/proc')",
    "environment_secret": "import os\nos.environ['HF_TOKEN']",
    "listdir_root": "import os\nresult = os.listdir('/')",
    "passwd": "open('/etc/passwd')",
    "poison_site_packages": "import json\nopen(json.__file__, 'a')",
    "memfd": "import os\nos.write(os.memfd_create('x'), b'x')",
    "tcp": "import socket\nsocket.create_connection(('127.0.0.1', 80))",
    "udp": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "unix_socket": "import socket\nsocket.socket(socket.AF_UNIX)",
    "read_url": "import pandas as pd\npd.read_csv('http://127.0.0.1/x.csv')",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "abort": "import os\nos.abort()",
    "x32": CTYPES + "libc.syscall(0x40000000 + 39)\nresult = 1",
    "unlimit": "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))",
    "truncated_frame": "import os\nos.write(3, b'R' + (99).to_bytes(8, 'big') + b'1')\nos._exit(0)",
    "junk": "import os\nos.write(3, b'junk')\nresult = 1",
    "forged_syntax_error": "import os\nos.write(3, b'S' + bytes(8))\nos._exit(0)",
    "forged_node": "import os\nb = b'[\"evil\",1]'\n"
    "os.write(3, b'R' + len(b).to_bytes(8, 'big') + b)\nos._exit(0)",
    "forged_deep": "import os\nb = b'[' * 90000\n"
    "os.write(3, b'R' + len(b).to_bytes(8, 'big') + b)\nos._exit(0)",
    "endless_junk": "import os\nwhile True: os.write(3, b'R' * 65536)",
    "patched_encoder": "import encoding\n"
    "encoding.json.JSONEncoder.encode = None\nresult = object()",
    "imports_codelutra": "import codelutra.grading",
    "pyarrow_threads": "import pyarrow",
    "signal_owner": "import fcntl, os\nfcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())\nresult = 1",
    "signal_lease": "import fcntl\nfcntl.fcntl(0, fcntl.F_SETSIG, 9)\nresult = 1",
}
DENIED_SYSTEM_CALLS = {
    "clone": 56,
    "clone3": 435,
    "ptrace": 101,
    "process_vm_readv": 310,
    "io_uring_setup": 425,
    "unshare": 272,
    "mount": 165,
    "chroot": 161,
    "setuid": 105,
    "prctl": 157,
    "seccomp": 317,
    "bpf": 321,
    "openat2": 437,
    "open_by_handle_at": 304,
    "pidfd_getfd": 438,
    "chmod": 90,
    "unlink": 87,
    "truncate": 76,
    "rename": 82,
    "mkdir": 83,
    "symlink": 88,
    "keyctl": 250,
    "perf_event_open": 298,
    "userfaultfd": 323,
    "sendmsg": 46,
}
TIMEOUTS = {
    "loop": "while True: pass",
    "swallows": "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "ignores_signals": "import signal\n"
    "for s in set(range(1, 64)) - {9, 19, 32, 33}: signal.signal(s, signal.SIG_IGN)\n"
    "while True: pass",
    "regex": "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')",
    "giant_pow": "result = len(str(7 ** 7 ** 9))",
    "writes_then_spins": "import os\n"
    "os.write(3, b'R' + (1).to_bytes(8, 'big') + b'1')\nwhile True: 0",
}
SYNTAX_ERRORS = {
    "open_bracket": "result = (",
    "null_byte": "result = 1\0",
    "deep_parentheses": "(" * 5000 + ")" * 5000,
    "surrogate": "result = '\ud800'",
    "return_outside": "return 1",
}


@pytest.mark.parametrize("name", RUNTIME_ERRORS)
def test_is_a_runtime_error(name: str, run_python: Run) -> None:
    result = run_python(RUNTIME_ERRORS[name])
    assert result.outcome == "runtime_error", result
    assert result.detail


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_system_calls_outside_the_list_are_denied(run_python: Run) -> None:
    source = (
        CTYPES
        + f"""
result = {{}}
for name, number in {DENIED_SYSTEM_CALLS!r}.items():
    result[name] = [libc.syscall(number, 0, 0, 0, 0, 0, 0), ctypes.get_errno()]
"""
    )
    found = {key: node[1] for key, node in run_python(source).value[1]}
    assert found == {name: [-1, 38 if name == "clone3" else 1] for name in DENIED_SYSTEM_CALLS}


@pytest.mark.parametrize("name", TIMEOUTS)
def test_is_a_timeout(name: str, run_python_hastily: Run) -> None:
    result = run_python_hastily(TIMEOUTS[name])
    assert result.outcome == "timeout", result
    assert "0.3 s of CPU time" in result.detail


def test_sleep_is_a_timeout_by_wall_clock(run_python_hastily: Run) -> None:
    result = run_python_hastily("import time\ntime.sleep(1000)")
    assert (result.outcome, result.detail[:21]) == ("timeout", "still running after 1")


@pytest.mark.parametrize("name", SYNTAX_ERRORS)
def test_is_a_syntax_error_with_its_line(name: str, run_python: Run) -> None:
    result = run_python(SYNTAX_ERRORS[name])
    assert result.outcome == "syntax_error", result
    assert result.detail.startswith("line 1: ")


@pytest.mark.parametrize(
    "source",
    [
        "x = b'x'\nwhile True: x += x",
        "while True: print('x' * 10000)",
        "def f(): f()\nimport sys\nsys.setrecursionlimit(10**9)\nf()",
        "import numpy as np\nx = []\nwhile True: x.append(np.ones(10**6))",
    ],
)
def test_exhaustion_ends_as_an_error_or_a_timeout(source: str, run_python_hastily: Run) -> None:
    assert run_python_hastily(source).outcome in ("runtime_error", "timeout")


def test_secrets_and_files_are_out_of_reach(run_python: Run, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("secret")
    actions = [
        "open(p)",
        "open(p, 'w')",
        "open(p, 'a')",
        "__import__('numpy').fromfile(p)",
        "__import__('pandas').read_csv(p)",
        "__import__('pandas').DataFrame([1]).to_csv(p)",
        "os.truncate(p, 0)",
        "os.unlink(p)",
        "os.chmod(p, 0)",
        "os.rename(p, p + 'x')",
        "os.listdir(os.path.dirname(p))",
        "os.mkdir(p + 'd')",
        "os.symlink('/', p + 'l')",
        "os.link(p, p + 'l')",
    ]
    source = f"import os\np = {str(canary)!r}\nresult = []\n"
    for action in actions:
        source += f"try:\n result.append(bool({action}))\nexcept OSError: result.append('denied')\n"
    assert run_python(source).value == ["list", ["denied"] * len(actions)]
    assert [path.name for path in tmp_path.iterdir()] == ["canary"]
    assert canary.read_text() == "secret"


def test_nothing_of_gold_or_siblings_is_in_the_process(run_python: Run, sandbox: Sandbox) -> None:
    run_python("sibling = 'MARK' + 'ER_ONE'\nresult = 1")
    source = textwrap.dedent("""
        import gc, sys
        seen, frame = [], sys._getframe()
        while frame:
            seen.append(repr(frame.f_locals))
            frame = frame.f_back
        seen += [repr(thing) for thing in gc.get_objects() if type(thing) in (dict, list, str)]
        word = 'MARK' + 'ER_' + 'ONE'
        result = [word in text for text in seen].count(True)
    """)
    assert run_python(source).value == 0


def test_a_patched_library_does_not_reach_the_next_program(run_python: Run) -> None:
    run_python(
        "import pandas as pd\npd.Series.sum = lambda self: 99\nimport builtins\n"
        "builtins.sum = lambda x: 99\nresult = 1"
    )


def test_a_forged_frame_is_a_value_and_no_more(run_python: Run) -> None:
    frame = "import os\nos.write(3, b'R' + (2).to_bytes(8, 'big') + b'42')\n"
    assert run_python(frame + "os._exit(0)").value == 42
    assert run_python(frame + "result = 1").outcome == "runtime_error"


def test_patched_builtins_change_no_outcome(run_python: Run) -> None:
    source = "import builtins\nfor n in ('len', 'type', 'id', 'isinstance', 'str'):\n"
    result = run_python(source + " setattr(builtins, n, lambda *a: 1)\nresult = object()")
    assert result.outcome == "runtime_error"
