"""No hooks in a fork: libraries add them for their threads, here are none, and each costs memory.

Imported before them. `random` loses its hook, too: see `tiers.draw_seeds`.
"""

import os
from typing import Any


def ignore(**hooks: Any) -> None:
    """In place of `os.register_at_fork`."""


os.register_at_fork = ignore
