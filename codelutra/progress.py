"""A progress bar on the terminal for each phase of a run."""

from types import TracebackType
from typing import Any

from tqdm import tqdm


class ProgressBar:
    """One bar at a time; `report` has the signature that `RunFolder` calls."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._key: tuple[int, str] | None = None

    def report(self, iteration: int, phase: str, done: int, total: int) -> None:
        if (iteration, phase) != self._key:
            self.close()
            self._key = (iteration, phase)
            self._bar = tqdm(desc=f"iteration {iteration} {phase:<8}", total=total, initial=done)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
