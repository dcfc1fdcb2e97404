"""Runs many programs at once on persistent server processes; knows nothing of golds or verdicts."""

import itertools
import logging
import operator
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Self

from codelutra.config import UNSAFE, SandboxConfig, may_run_unfenced
from codelutra.errors import SandboxError, StopRequested
from codelutra.machine import num_cores
from codelutra.sandbox.command_runner import CommandRunner
from codelutra.sandbox.process import ServerDied
from codelutra.sandbox.python_runner import PythonRunner, tier_of
from codelutra.sandbox.result import ExecutionResult, Program
from codelutra.sandbox.sql_runner import SqlRunner
from codelutra.sandbox.unfenced_runner import UnfencedRunner

STOP_POLL_S = 0.1
AT_ONCE = 8  # programs a thread takes
QUERIES_AT_ONCE = 64
TELL_S = 0.05  # between two reports of progress
SHARES = 4  # a thread takes at most this fraction of its share: the last ones end together
Runner = PythonRunner | SqlRunner | CommandRunner | UnfencedRunner
ATTEMPTS = 2  # a program whose server died is tried once more, on a fresh server


log = logging.getLogger(__name__)


def never() -> bool:
    return False


def kind_of(program: Program) -> str:
    """The server it needs."""
    if program.command is not None:
        return program.kind
    return "sql" if program.kind == "sql" else tier_of(program)


def must_run_unfenced() -> bool:
    """Did the user say UNSAFE where no fence can be had?"""
    return may_run_unfenced() and not fences_hold()


def fences_hold() -> bool:
    """Found by trying."""
    if sys.platform != "linux":
        return False
    runner = PythonRunner("bare", SandboxConfig())
    try:
        runner.wait_ready()
    except (SandboxError, ServerDied):
        return False
    finally:
        runner.close()
    return True


class Stopped(Exception):
    """This execution was stopped; nobody reads its results."""


class Slot:
    """The servers that one thread works with, started when first needed."""

    def __init__(self, config: SandboxConfig, is_fenced: bool) -> None:
        self.config, self.is_fenced = config, is_fenced
        self.runners: dict[str, Runner] = {}
        self.stopping = threading.Event()

    def run(self, programs: Sequence[Program]) -> Iterator[ExecutionResult]:
        """Results in order; the programs are all of one kind."""
        kind, left = kind_of(programs[0]), deque(programs)
        size, deaths = len(programs), 0
        while left:
            some = list(itertools.islice(left, size))
            try:
                for result in self._runner(kind, some[0]).run(some):
                    left.popleft()
                    deaths = 0
                    yield result
            except ServerDied as death:
                self._drop(kind)
                if self.stopping.is_set():
                    raise Stopped from None
                deaths += size == 1
                if deaths == ATTEMPTS:
                    left.popleft()
                    deaths = 0
                    detail = f"the sandbox died twice: {death}"
                    yield ExecutionResult("harness_error", None, detail)
            else:
                runner = self.runners[kind]
                if isinstance(runner, SqlRunner) and not runner.is_alive:
                    self._drop(kind)  # killed at a limit
            size = 1  # of several it is not known which one it was

    def _runner(self, kind: str, program: Program) -> Runner:
        if kind not in self.runners:
            runner = self._new_runner(kind, program)
            self.runners[kind] = runner
            if self.stopping.is_set():  # hang_up() may have missed it
                raise Stopped
            runner.wait_ready()
        return self.runners[kind]

    def _new_runner(self, kind: str, program: Program) -> Runner:
        if program.command is not None and not self.is_fenced:
            raise SandboxError(
                f"{kind} programs run behind fences alone, which {UNSAFE} takes away"
            )
        if program.command is not None:
            return CommandRunner(kind, program.command, self.config)
        if kind == "sql":
            return SqlRunner(self.config, self.is_fenced)
        return (PythonRunner if self.is_fenced else UnfencedRunner)(kind, self.config)

    def _drop(self, kind: str) -> None:
        runner = self.runners.pop(kind, None)
        if runner is not None:
            runner.close()

    def hang_up(self) -> None:
        """From another thread: makes a running program end at once."""
        self.stopping.set()
        for runner in list(self.runners.values()):
            runner.hang_up()

    def close(self) -> None:
        for kind in list(self.runners):
            self._drop(kind)
        self.stopping.clear()


class Sandbox:
    """The only entry to untrusted execution. A bad program is data, never an exception.

    `is_fenced` is False only where no fence can be had and the user said UNSAFE; where they did
    not, SandboxError is raised: here without Linux, by `execute` without seccomp.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.is_fenced = not must_run_unfenced()
        if not self.is_fenced:
            log.warning("%s: programs run WITHOUT a sandbox, with your own rights", UNSAFE)
        elif sys.platform != "linux":
            raise SandboxError(
                f"programs run behind Landlock and seccomp, which {sys.platform} has not: "
                "use a Linux machine, container or virtual machine, or run programs with your "
                f"own rights ({UNSAFE})"
            )
        workers = config.workers or num_cores()
        self._slots = [Slot(config, self.is_fenced) for _ in range(workers)]
        # Threads that live as long as the sandbox: a server dies with the thread that began it.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="sandbox")
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(
        self,
        programs: Sequence[Program],
        on_done: Callable[[int], None] | None = None,
        should_stop: Callable[[], bool] = never,
    ) -> list[ExecutionResult]:
        """Results in input order. Both callbacks are called in the caller's thread.

        Raises StopRequested within a second of `should_stop()` turning true, SandboxError when
        a server cannot start here at all.
        """
        with self._turn:
            slots = self._slots[: len(programs)]
            batch = Batch(programs, len(slots))
            futures = [self._threads.submit(batch.work, slot) for slot in slots]
            try:
                batch.follow(len(slots), on_done, should_stop)
                for future in futures:
                    future.result()
            except BaseException:
                self._abandon(batch, futures)
                raise
            return [batch.results[place] for place in range(len(programs))]

    def _abandon(self, batch: "Batch", futures: list[Future[None]]) -> None:
        batch.stop.set()
        for slot in self._slots:
            slot.hang_up()
        wait(futures)
        for slot in self._slots:
            slot.close()

    def close(self) -> None:
        """Ends every server. Waits for an execution under way in another thread."""
        with self._turn:
            for slot in self._slots:
                slot.close()
            self._threads.shutdown()


class Batch:
    """The programs of one `execute` call, shared by its threads."""

    def __init__(self, programs: Sequence[Program], threads: int) -> None:
        # One kind after the other: a server that is not waiting in between stays warm.
        jobs = ((kind_of(program), place, program) for place, program in enumerate(programs))
        self._left = deque(sorted(jobs, key=operator.itemgetter(0, 1)))
        self._threads = threads
        self._taking = threading.Lock()
        self.results: dict[int, ExecutionResult] = {}
        self.events: queue.SimpleQueue[str] = queue.SimpleQueue()  # "done" or "left"
        self.stop = threading.Event()

    def work(self, slot: Slot) -> None:
        """One thread: takes programs until none is left."""
        told_at = time.monotonic()
        try:
            while (jobs := self._take()) and not self.stop.is_set():
                results = slot.run([program for _, program in jobs])
                for (place, _), result in zip(jobs, results, strict=True):
                    self.results[place] = result
                    if time.monotonic() - told_at > TELL_S:
                        self.events.put("done")
                        told_at = time.monotonic()
        except Stopped:
            return
        except BaseException:
            self.stop.set()
            raise
        finally:
            self.events.put("left")

    def _take(self) -> list[tuple[int, Program]]:
        """The next programs of one kind."""
        with self._taking:
            share = len(self._left) // (SHARES * self._threads)
            kind = self._left[0][0] if self._left else ""
            size = max(1, min(QUERIES_AT_ONCE if kind == "sql" else AT_ONCE, share))
            jobs: list[tuple[int, Program]] = []
            while self._left and self._left[0][0] == kind and len(jobs) < size:
                jobs.append(self._left.popleft()[1:])
            return jobs

    def follow(
        self, threads: int, on_done: Callable[[int], None] | None, should_stop: Callable[[], bool]
    ) -> None:
        """Reports progress until every thread has left; raises StopRequested on demand."""
        while threads:
            if should_stop():
                raise StopRequested("stopped while programs were running")
            try:
                event = self.events.get(timeout=STOP_POLL_S)
            except queue.Empty:
                continue
            if event == "left":
                threads -= 1
            if on_done is not None:
                on_done(len(self.results))
