"""One answer for everybody who asks the same within a second: 200 viewers read as one."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

MAX_AGE_S = 0.9  # of what is shown, counted from when it began to be read; for a crowd see live.py
T = TypeVar("T")


class _Answer(Generic[T]):
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked_at = float("-inf")
        self.value: T | None = None


class Shared(Generic[T]):
    """Keeps answers by what was asked. Who comes while one is being read waits for that one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, _Answer[T]] = {}
        self._not_before = float("-inf")
        self.max_age_s = MAX_AGE_S

    def of(self, key: Hashable, ask: Callable[[], T]) -> T:
        oldest = time.monotonic() - self.max_age_s  # however long it then waits for its turn
        with self._lock:
            for old in [k for k, a in self._answers.items() if a.value and a.asked_at < oldest]:
                if old != key:
                    del self._answers[old]
            answer = self._answers.setdefault(key, _Answer())
        with answer.lock:
            if answer.value is None or answer.asked_at < max(self._not_before, oldest):
                asked_at = time.monotonic()
                answer.value = ask()
                answer.asked_at = asked_at
            return answer.value

    def fresh(self, key: Hashable) -> T | None:
        """The answer that is there, if nothing needs to be read for it."""
        answer = self._answers.get(key)
        oldest = max(self._not_before, time.monotonic() - self.max_age_s)
        return answer.value if answer and answer.asked_at >= oldest else None

    def forget(self) -> None:
        """Somebody has changed something: no answer from before may follow on its own."""
        self._not_before = time.monotonic()


class Kept(Generic[T]):
    """The last drawings, by what they show: while that is the same, so are they."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._drawn: OrderedDict[Hashable, T] = OrderedDict()

    def of(self, shows: Hashable, draw: Callable[[], T]) -> T:
        with self._lock:
            if shows in self._drawn:
                self._drawn.move_to_end(shows)
                return self._drawn[shows]
        drawing = draw()
        with self._lock:
            self._drawn[shows] = drawing
            while len(self._drawn) > self._most:
                self._drawn.popitem(last=False)
        return drawing


# Of all that visitors are told; its keys begin with whose they are. Who changes something for
# everybody has it forgotten.
news: Shared[Any] = Shared()
