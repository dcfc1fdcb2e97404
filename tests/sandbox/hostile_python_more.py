"""More hostile Python programs: forgers, escapes through inherited things, leaks, starvation.

CANARY is replaced by the path of a readable file with a secret in it.
"""

FORGE = "import os\ndef forge(b=b'42'): os.write(3, b'R' + len(b).to_bytes(8, 'big') + b)\n"
FCNTL = "import fcntl, os\n"
WALK = "import sys\nf = sys._getframe()\nwhile f.f_code.co_name != 'run_job': f = f.f_back\n"

RUNTIME_ERRORS = {
    # Forging an answer, or ending before there is one
    "exit_by_libc": "import ctypes\nctypes.CDLL(None)._exit(0)",
    "exit_by_system_call": "import ctypes\nctypes.CDLL(None).syscall(60, 0)",
    "exit_in_hostile_str": "import os\n"
    "class E(BaseException): __str__ = lambda s: os._exit(0)\nraise E",
    "exit_in_atexit": f"{FORGE}import atexit\natexit.register(forge)\nraise SystemExit(0)",
    "exit_in_a_finalizer": "import os\nclass A:\n def __del__(s): os._exit(0)\nA()\nresult = 1",
    "exit_in_excepthook": f"{FORGE}import sys\nsys.excepthook = lambda *a: forge()\n1 / 0",
    "forges_twice": f"{FORGE}forge()\nforge()\nos._exit(0)",
    "forges_and_fails": f"{FORGE}forge()\nraise ValueError",
    "forges_and_exits_with_1": f"{FORGE}forge()\nos._exit(1)",
    "forges_and_crashes": f"{FORGE}import ctypes\nforge()\nctypes.string_at(0)",
    "forges_a_second_start": "import os\nos.write(3, b'K')\nresult = 1",
    "forges_an_object": f"{FORGE}forge(b'{{}}')\nos._exit(0)",
    "forges_junk_json": f"{FORGE}forge(b'[1,')\nos._exit(0)",
    "forges_a_huge_number": f"{FORGE}forge(b'9' * 5000)\nos._exit(0)",
    "forges_a_wrong_length": "import os\nos.write(3, b'R' + bytes([255] * 8))\nos._exit(0)",
    "forges_a_bad_shape": f'{FORGE}forge(b\'["ndarray","i",[-1],[]]\')\nos._exit(0)',
    "forges_a_gold_report": "import json, os\n"
    "os.write(3, json.dumps({'status': 0, 'verdict': 'correct'}).encode())\nos._exit(0)",
    "forges_by_the_walked_writer": f"{WALK}f.f_locals['write'](b'R' + bytes(8))\nresult = 1",
    "closes_its_socket": "import os\nos.close(3)\nresult = 1",
    "replaces_its_socket": "import os\nos.dup2(0, 3)\nresult = 1",
    "stops_blocking": "import os\nos.set_blocking(3, False)\nresult = ['x' * 1000] * 9000",
    "shuts_its_socket": "import socket\nsocket.socket(fileno=3).shutdown(2)",
    "traces_the_encoder": "import sys\ndef t(f, e, a): raise SystemExit(0)\n"
    "result = 1\nsys.setprofile(t)",
    "clears_builtins": "import builtins\nresult = object()\nbuiltins.__dict__.clear()",
    "deletes_the_answer": "result = 1\ndel result",
    "patches_the_handlers": "import gc, encoding\n"
    "for e in gc.get_objects():\n"
    " if type(e) is encoding.Encoder: e.handlers[float] = lambda v, d: ['evil', 1]\n"
    "result = object()",
    # Answers that lie about themselves
    "type_called_int": "int = type('int', (), {'__eq__': lambda s, o: True})\nresult = int()",
    "class_property": "class A:\n __class__ = int\n __eq__ = lambda s, o: True\nresult = A()",
    "metaclass": "class M(type):\n __eq__ = lambda s, o: True\n __hash__ = lambda s: hash(int)\n"
    "class A(metaclass=M): pass\nresult = A()",
    "str_subclass": "class A(str):\n __eq__ = lambda s, o: True\nresult = {'k': A('x')}",
    "dict_subclass": "class A(dict):\n items = lambda s: [(1, 1)]\nresult = A()",
    "float_subclass_as_key": "class A(float):\n __eq__ = lambda s, o: True\n"
    " __hash__ = lambda s: 1\nresult = {A(1): 1}",
    "array_subclass": "import numpy as np\nclass A(np.ndarray): pass\nresult = np.ones(3).view(A)",
    "array_of_objects": "import numpy as np\nclass A:\n __eq__ = lambda s, o: True\n"
    "result = np.array([A()], dtype=object)",
    "structured_array": "import numpy as np\nresult = np.zeros(2, 'i4,i4')",
    "masked_array": "import numpy as np\nresult = np.ma.masked_array([1, 2], [True, False])",
    "series_subclass": "import pandas as pd\nclass A(pd.Series): pass\nresult = A([1])",
    "frame_subclass": "import pandas as pd\nclass A(pd.DataFrame): pass\nresult = A({'a': [1]})",
    "frame_of_objects": "import pandas as pd\nclass A:\n __eq__ = lambda s, o: True\n"
    "result = pd.DataFrame({'a': [A()]})",
    "generator": "result = (x for x in [1])",
    "module": "import os\nresult = os",
    "memory_view": "result = memoryview(b'x')",
    "enum_member": "import enum\nclass A(enum.IntEnum):\n B = 1\nresult = A.B",
    "cyclic_dict": "result = {}\nresult['r'] = result",
    "shared_wide": "x = [0] * 1000\nfor _ in range(9): x = [x] * 1000\nresult = x",
    "answer_of_huge_name": "raise type('E' * 10**7, (Exception,), {})",
    "error_of_100_mb": "raise ValueError('x' * (100 << 20))",
    "error_with_surrogates": "raise ValueError('\\ud800' * 9)",
    "group_of_errors": "raise BaseExceptionGroup('g', [KeyboardInterrupt(), SystemExit(0)])",
    "error_with_cyclic_cause": "e = ValueError('x')\ne.__cause__ = e\nraise e",
    # Signals and descriptors that outlive or reach others
    "signal_to_parent_by_owner": f"{FCNTL}fcntl.fcntl(3, 8, os.getppid())",
    "signal_number_for_owner": f"{FCNTL}fcntl.fcntl(3, 10, 9)",
    "signals_the_group_by_owner": f"{FCNTL}fcntl.fcntl(3, 8, -os.getpgrp())",
    "owner_by_structure": f"{FCNTL}import struct\n"
    "fcntl.fcntl(3, 15, struct.pack('ii', 1, os.getppid()))",
    "lease_on_a_library": f"{FCNTL}fcntl.fcntl(os.open(os.__file__, 0), 1024, 0)",
    "notify_on_a_folder": f"{FCNTL}fcntl.fcntl(os.open(os.path.dirname(os.__file__), 0), 1026, 1)",
    "locks_a_library": f"{FCNTL}fcntl.flock(os.open(os.__file__, 0), 1)",
    "stops_itself": "import signal\nsignal.raise_signal(signal.SIGSTOP)",
    "signals_every_thread": "import signal, threading\n"
    "signal.pthread_kill(threading.get_ident(), 9)",
    "sends_its_socket_away": "import socket\ns = socket.socket(fileno=3)\n"
    "socket.send_fds(s, [b'x'], [0])",
    "new_session": "import os\nos.setsid()",
    "double_fork": "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(99)",
    "posix_spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "vfork": "import _posixsubprocess, subprocess\nsubprocess.Popen('true', close_fds=False)",
    "process_pool": "import multiprocessing\nmultiprocessing.Process(target=print).start()",
    "shared_memory": "from multiprocessing import shared_memory\n"
    "shared_memory.SharedMemory(create=True, size=9)",
    "system_v_memory": "import ctypes\nl = ctypes.CDLL(None)\n"
    "assert l.shmget(0, 4096, 0o1666) >= 0",
    "message_queue": "import ctypes\nl = ctypes.CDLL(None)\nassert l.msgget(7, 0o1666) >= 0",
    "joins_a_process": "import os\nos.pidfd_open(os.getppid())",
    "event_loop": "import asyncio\nasyncio.run(asyncio.sleep(0))",
    "socket_pair": "import socket\nsocket.socketpair()",
    "raises_priority": "import os\nos.nice(-5)",
    "binds_cores": "import os\nos.sched_setaffinity(os.getppid(), {0})",
    "unlimits_memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "unlimits_time": "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (-1, -1))",
    "many_descriptors": "x = [open('/dev/null') for _ in range(100)]",
    "pipe": "import os\nos.pipe()",
    "huge_mapping": "import mmap\nmmap.mmap(-1, 1 << 34)",
    "executable_memory_then_call": "import ctypes, mmap\n"
    "m = mmap.mmap(-1, 4096, prot=7)\nm.write(b'\\x0f\\x0b')\n"
    "ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()",
    # Leaks and poison
    "canary": "open('CANARY')",
    "canary_by_memory_map": "import numpy as np\nnp.memmap('CANARY')",
    "canary_by_loader": "import ctypes\nctypes.CDLL('CANARY')",
    "canary_as_module": "import importlib.machinery as m\n"
    "m.SourceFileLoader('x', 'CANARY').load_module()",
    "canary_through_dot_dot": "import os\n"
    "open(os.path.dirname(os.__file__) + '/../' * 20 + 'CANARY')",
    "canary_through_self_root": "open('/proc/self/root' + 'CANARY')",
    "canary_through_parent_folder": "import os\nopen(f'/proc/{os.getppid()}/cwd/../' + 'CANARY')",
    "canary_by_link": "import os\nos.link('CANARY', '/dev/shm/x')\nopen('/dev/shm/x')",
    "canary_executed": "exec(open('CANARY').read())",
    "canary_by_tokenizer": "import linecache, tokenize\ntokenize.open('CANARY')",
    "canary_by_sqlite": "import sqlite3\n"
    "sqlite3.connect('CANARY').execute('SELECT * FROM sqlite_master')",
    "canary_by_pickle": "import pandas as pd\npd.read_pickle('CANARY')",
    "canary_changed_times": "import os\nos.utime('CANARY')",
    "canary_by_attribute": "import os\nos.setxattr('CANARY', 'user.x', b'1')",
    "canary_given_away": "import os\nos.chown('CANARY', 1, 1)",
    "own_memory_file": "open('/proc/self/mem', 'rb').read(1)",
    "own_maps": "open('/proc/self/maps')",
    "parent_descriptors": "import os\nos.listdir(f'/proc/{os.getppid()}/fd')",
    "parent_command_line": "import os\nopen(f'/proc/{os.getppid()}/cmdline')",
    "kernel_log": "open('/dev/kmsg')",
    "terminal": "open('/dev/tty', 'w').write('x')",
    "standard_error_file": "open('/proc/self/fd/2', 'w')",
    "home_folder": "import os\nos.listdir(os.path.expanduser('~root'))",
    "temporary_file": "import tempfile\ntempfile.TemporaryFile()",
    "dev_shm": "open('/dev/shm/x', 'w')",
    "core_pattern": "open('/proc/sys/kernel/core_pattern', 'w')",
    "out_of_memory_score": "open('/proc/self/oom_score_adj', 'w')",
    "control_group": "open('/sys/fs/cgroup/cgroup.procs', 'w')",
    "writes_bytecode": "import py_compile, os\npy_compile.compile(os.__file__)",
    "pip": "import pip\nassert pip.main(['download', 'x']) == 0",
    "name_service": "import socket\nsocket.getaddrinfo('example.com', 80)\nsocket.socket()",
    "huge_page_bomb": "import mmap\nx = [mmap.mmap(-1, 1 << 28) for _ in range(99)]",
}
TIMEOUTS = {
    "spins_in_a_handler": "import signal\n"
    "def spin(*a):\n while True: pass\n"
    "signal.signal(signal.SIGALRM, spin)\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\n"
    "while True: pass",
    "endless_hash": "class A:\n def __hash__(s):\n  while True: pass\nresult = {A()}",
    "endless_message": "class E(Exception):\n def __str__(s):\n  while True: pass\nraise E",
    "endless_finalizer": "class A:\n def __del__(s):\n  while True: pass\nA()",
    "spins_in_c": "result = sum(range(10**12))",
    "spins_in_numpy": "import numpy as np\nx = np.ones((900, 900))\nwhile True: x = x @ x",
    "sort_with_a_liar": "import functools\n"
    "k = functools.cmp_to_key(lambda a, b: 1)\nwhile True: sorted(range(1000), key=k)",
    "digits_of_a_number": "import sys\nsys.set_int_max_str_digits(0)\nstr(1 << 20_000_000)",
    "infinite_iterator": "import itertools\nresult = sum(itertools.repeat(0))",
    "catches_everything_forever": "import sys\ndef f():\n"
    " try: f()\n finally: f()\nsys.setrecursionlimit(60)\nf()",
}
EITHER = {  # runtime_error or timeout, as the machine's speed decides
    "compiler_bomb": "while True: compile('x = [1, 2]\\n' * 10**6, 'x', 'exec')",
    "allocates_forever": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "garbage_cycles": "while True:\n x = []\n x.append(x)\n y = [x] * 10**6",
    "zip_bomb": "import zlib\nx = zlib.compress(bytes(1 << 26))\ny = [zlib.decompress(x)] * 2\n"
    "while True: y.append(zlib.decompress(x))",
    "faults_pages": "import mmap\n"
    "while True:\n m = mmap.mmap(-1, 1 << 26)\n m[::4096] = b'x' * 16384",
    "error_flood": "import sys\nwhile True: sys.stderr.write('x' * 9999)",
}
SYNTAX_ERRORS = {
    "deep_expression": "result = " + "-" * 100_000 + "1",
    "deep_brackets": "result = " + "[" * 300 + "]" * 300,
    "await_outside": "await x",
    "bad_escape": "result = '\\N{nothing}'",
    "star_import_in_function": "def f(): from os import *",
}
