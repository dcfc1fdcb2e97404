"""Runs model-written programs, which are taken to be hostile. `Sandbox.execute` is the only entry.

The process that runs a program never holds a gold: it returns data, the trusted side decodes and
`grading` compares. Linux on x86-64 and aarch64. Without seccomp it refuses to start (SandboxError)
unless the user says --unsafe-local-execution: then programs have the user's own rights, nothing
below holds but the limits of time and SQLite's own, and every screen says so.

Contained, Python (a fork of a warm server with a clean environment, one a program):
- files: Landlock lets it read the interpreter's own libraries, nothing else, and write nothing;
  on a kernel without Landlock no file can be opened at all
- seccomp allow-list: no process, thread, socket, signal to others, tracing, io_uring, mount
- no privilege even as root, no core dump, no file growth, bounded CPU time, wall clock, address
  space, descriptors and answer (1 MiB); killed with everything it started
- stdout and stderr go to one file in memory that ends at 4 KiB; what is over is dropped in silence
- a program can forge its own answer, as it can compute it, never a verdict

Contained, SQL (a killable worker process): one read-only statement of an allow-list, no clock or
randomness, bounded CPU time, memory, rows and bytes; the process may read files and write none.

Contained, command-line languages (a fresh process of the interpreter for each text on stdin; they
need Landlock): as Python, but threads are allowed, memory is what is written to instead of address
space, and the interpreter may read system libraries and its own source; stdout and stderr go to
files in memory that end at 1 MiB; what it printed is all that counts.

Not contained:
- kernel bugs behind the listed system calls, side channels, names of existing files (stat)
- memory of all workers together (each has its own limit)
- the SQL worker's view of other readable files, should SQLite itself be exploited; it outlives
  one query, so queries on the same worker would then not be isolated from each other

What honest programs notice: no threads, no pyarrow, no files; `setup` of a Python task runs
behind the same fences, so its inputs must be in its text.
"""

from codelutra.sandbox.result import Command, ExecutionResult, Program
from codelutra.sandbox.sandbox import Sandbox, fences_hold

__all__ = ["Command", "ExecutionResult", "Program", "Sandbox", "fences_hold"]
