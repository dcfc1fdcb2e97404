"""What this machine has: GPU and host memory, free disk. Imports no torch."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from codelutra.config import home

MIB = 1 << 20
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
FAST_BFLOAT16 = {"avx512_bf16", "amx_tile"}  # flags of a CPU; see generation's has_fast_bfloat16


@dataclass(frozen=True)
class Machine:
    """Memory and disk in bytes; `gpu` is the name of the first GPU that a run would use."""

    memory_total: int
    memory_free: int
    home_free: int
    hub_free: int
    gpu: str = ""
    gpu_total: int = 0
    gpu_free: int = 0
    has_bfloat16: bool = False

    @property
    def device(self) -> str:
        return "GPU memory" if self.gpu else "memory"

    @property
    def device_total(self) -> int:
        return self.gpu_total if self.gpu else self.memory_total

    @property
    def device_free(self) -> int:
        return self.gpu_free if self.gpu else self.memory_free


def num_cores() -> int:
    """Those that this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def look() -> Machine:
    """As it is now; takes some milliseconds, with an NVIDIA driver up to a second."""
    total, free = memory_of()
    gpu = _gpu()
    return Machine(
        memory_total=total,
        memory_free=free,
        home_free=_free(home()),
        hub_free=_free(hub_cache()),
        gpu=gpu[0] if gpu else "",
        gpu_total=gpu[1] if gpu else 0,
        gpu_free=gpu[2] if gpu else 0,
        has_bfloat16=bool(gpu) or _cpu_has_bfloat16(),  # CUDA has it, or torch emulates it
    )


def memory_of() -> tuple[int, int]:
    """Bytes in all, and those free; a container's limit counts."""
    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    limit = _container_limit()
    if limit and limit < total:
        total, free = limit, min(free, limit)
    return total, free


def gpu_use() -> dict[str, Any] | None:
    """Of the first GPU that CUDA may use: name, percent busy, bytes used and in all."""
    found = _ask_gpu("name,utilization.gpu,memory.used,memory.total")
    if found is None:
        return None
    name, busy, used, total = found
    try:
        return {"name": name, "percent": float(busy), "memory_used": int(used) * MIB,
                "memory_total": int(total) * MIB}  # fmt: skip
    except ValueError:  # "[N/A]", of a part of a GPU
        return None


def hub_cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _gpu() -> tuple[str, int, int] | None:
    """Name, total and free bytes of the first GPU that CUDA may use; None on a CPU."""
    found = _ask_gpu("name,memory.total,memory.free")
    try:
        return (found[0], int(found[1]) * MIB, int(found[2]) * MIB) if found else None
    except ValueError:  # one that does not tell (a MIG parent)
        return None


def _ask_gpu(columns: str) -> list[str] | None:
    """What nvidia-smi says of the first GPU that CUDA may use; None without one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible in ("", "-1") or _is_torch_for_cpu():
        return None
    query = ["nvidia-smi", f"--query-gpu={columns}"]
    if visible:
        query += [f"--id={visible.split(',')[0]}"]
    try:
        found = subprocess.run(
            [*query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return found.stdout.splitlines()[0].rsplit(", ", columns.count(","))
    except (OSError, subprocess.SubprocessError, IndexError):
        return None  # no driver, or no GPU


def _is_torch_for_cpu() -> bool:
    try:
        return version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return True


def _container_limit() -> int | None:
    try:
        return int(CGROUP_LIMIT.read_text())
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return None


def _cpu_has_bfloat16() -> bool:
    try:
        return any(flag in Path("/proc/cpuinfo").read_text() for flag in FAST_BFLOAT16)
    except OSError:
        return False


def _free(folder: Path) -> int:
    """Of the disk that the folder is on, or will be on."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
