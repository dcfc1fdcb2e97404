"""Grades samples in a thread of its own while others are still being drawn."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Self

from codelutra.errors import StopRequested
from codelutra.grading import Grader
from codelutra.records import Sample, SampleKey, Split, Verdict
from codelutra.tasks.task import Task

POLL_S = 0.3
Graded = tuple[Split, dict[SampleKey, Verdict]]


class GradingBeside:
    """Takes samples, gives verdicts back; knows no ledger, so that one thread alone writes to it.

    Left by an error, it stops what is running and gives up the rest: those samples are still
    without a verdict, and `execute` grades them.
    """

    def __init__(self, grader: Grader, tasks: Mapping[str, Task]) -> None:
        self._grader, self._tasks = grader, tasks
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="grading")
        self._stop = threading.Event()
        self._open: deque[tuple[Split, Future[dict[SampleKey, Verdict]]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.shutdown(cancel_futures=True)

    def take(self, split: Split, samples: Sequence[Sample]) -> None:
        if samples:
            grade = self._grader.grade
            future = self._thread.submit(grade, self._tasks, samples, self._stop.is_set)
            self._open.append((split, future))

    def finished(self) -> Iterator[Graded]:
        """What is done by now. Raises what the sandbox raised."""
        while self._open and self._open[0][1].done():
            split, future = self._open.popleft()
            yield split, future.result()

    def rest(self, should_stop: Callable[[], bool]) -> Iterator[Graded]:
        """Everything that is left, waited for. Raises StopRequested when told to stop."""
        while self._open:
            if should_stop():
                raise StopRequested("stopped on request; what is finished is kept")
            try:
                self._open[0][1].result(timeout=POLL_S)
            except NotYet:
                continue
            yield from self.finished()
