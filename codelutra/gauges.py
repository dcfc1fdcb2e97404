"""What this machine is doing: processors, memory, GPU. Imports no torch."""

from typing import Any

import psutil

from codelutra.machine import gpu_use, memory_of


class Gauges:
    """Looks now and then; a machine without an NVIDIA GPU is asked for one only once."""

    def __init__(self) -> None:
        psutil.cpu_percent()  # the first answer is of no time at all
        self._has_gpu = True

    def read(self) -> dict[str, Any]:
        """Percent and bytes; `gpu` is None where there is none that CUDA may use."""
        total, free = memory_of()
        gpu = gpu_use() if self._has_gpu else None
        self._has_gpu = gpu is not None
        return {
            "cpu_percent": psutil.cpu_percent(),
            "cpu_cores": psutil.cpu_count(),
            "memory_used": total - free,
            "memory_total": total,
            "gpu": gpu,
        }
