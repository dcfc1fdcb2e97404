"""A phase whose process was killed is called again: `kill -9`, or the kernel short of memory.

What it had finished is in the ledger and in checkpoints, and is not done twice.
"""

from collections.abc import Callable
from typing import Any

from codelutra.errors import PhaseError
from codelutra.ledger import Ledger

STARTS = 3  # in all: what kills it every time would do so for ever


def start_again(
    phase: Callable[..., Any],
    ledger: Ledger,
    *args: Any,
    is_leaving: Callable[[], bool] = lambda: False,
) -> Any:
    """Call `phase`. `is_leaving`: whether this process ends and has killed the phase itself."""
    for start in range(2, STARTS + 1):
        try:
            return phase(ledger, *args)
        except PhaseError as error:
            if not error.was_killed or is_leaving():
                raise
            ledger.log(f"{error}; started again, {start} of {STARTS}")
    return phase(ledger, *args)
