"""The GPU between two phases: free enough before vLLM starts, given back before training does.

Tried on one H200 with another process holding 40 GiB; the tests decide on given figures.
"""

import time
from collections.abc import Callable

from codelutra.errors import GenerationError
from codelutra.machine import Machine, look

GIB = 1 << 30
SLACK = 0.03  # of the memory: what other programs of the desk may take and give meanwhile
WAIT_S = 20.0
POLL_S = 0.5


def check_free(share: float, machine: Machine) -> None:
    """Raise GenerationError when vLLM cannot have `share` of the GPU's memory."""
    wanted = share * machine.gpu_total
    if machine.gpu and machine.gpu_free < wanted:
        raise GenerationError(
            f"another process holds {machine.gpu}: {machine.gpu_free / GIB:.1f} of "
            f"{machine.gpu_total / GIB:.1f} GiB are free, vLLM wants {wanted / GIB:.1f}; end it "
            "(nvidia-smi lists it), or lower generation.gpu_memory_utilization"
        )


def wait_until_returned(
    before: Machine,
    look: Callable[[], Machine] = look,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """After a phase's child has ended: until the GPU is as free as it was `before` it.

    Raises GenerationError when it is not within WAIT_S seconds.
    """
    if not before.gpu:
        return
    enough = before.gpu_free - SLACK * before.gpu_total
    for _ in range(int(WAIT_S / POLL_S)):
        if (now := look()).gpu_free >= enough:
            return
        sleep(POLL_S)
    raise GenerationError(
        f"sampling has ended, but {now.gpu} has {now.gpu_free / GIB:.1f} GiB free and had "
        f"{before.gpu_free / GIB:.1f} before: another process took the rest (nvidia-smi lists "
        "it); end it, then resume the run"
    )
