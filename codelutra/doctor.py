"""What this machine can do, what is missing, and what then degrades."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from codelutra.backends import why_no_runs
from codelutra.config import STARTER, UNSAFE, SandboxConfig, home
from codelutra.errors import CodeLutraError
from codelutra.languages import LANGUAGES
from codelutra.sandbox import Command, Program, Sandbox

GIB = 1 << 30
READ_A_LIBRARY = "import json\nresult = open(json.__file__).read(1)"
WITH_LANDLOCK = "seccomp and Landlock: programs read Python's own libraries and write nothing"
WITHOUT_LANDLOCK = (
    "seccomp, but no Landlock in this kernel: programs open no file at all, "
    "and a library that loads parts of itself late can fail"
)
WITHOUT_FENCES = (
    f"none: programs run WITHOUT a sandbox, with your own rights ({UNSAFE}); "
    "every screen of such a run says so"
)


@dataclass(frozen=True)
class Finding:
    """One line; an essential finding that is not ok means that no run can finish here."""

    name: str
    ok: bool
    detail: str
    essential: bool = False


def examine() -> list[Finding]:
    """All findings, each from trying the thing, not from guessing."""
    checks: list[Callable[[], Finding]] = [_python, _home, _sandbox, _starter]
    checks += [_no_runs] if why_no_runs() else [_gpu, _vllm, _cpu]
    commands = {kind: one.command for kind, one in LANGUAGES.items() if one.command}
    return [check() for check in checks] + [_command(*each) for each in commands.items()]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, version if ok else f"{version}: 3.11 or newer is needed", True)


def _home() -> Finding:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        reason = f"{folder} cannot be written ({error.strerror}): set CODELUTRA_HOME"
        return Finding("home", False, reason, True)
    free = shutil.disk_usage(folder).free / GIB
    return Finding("home", free > 1, f"{folder}, {free:.1f} GiB free", True)


def _sandbox() -> Finding:
    programs = [Program("python", "result = 6 * 7"), Program("python", READ_A_LIBRARY)]
    try:
        with Sandbox(SandboxConfig(workers=1)) as sandbox:
            result, reading = sandbox.execute(programs)
    except (CodeLutraError, OSError) as error:
        return Finding("sandbox", False, str(error), True)
    if result.outcome != "ok":
        return Finding("sandbox", False, result.detail, True)
    if not sandbox.is_fenced:
        return Finding("sandbox", False, WITHOUT_FENCES)
    fences = WITH_LANDLOCK if reading.outcome == "ok" else WITHOUT_LANDLOCK
    return Finding("sandbox", True, f"{fences} (user id {os.getuid()})", True)


def _command(kind: str, command: Command) -> Finding:
    program = Program(kind, "", command=command)
    try:
        with Sandbox(SandboxConfig(workers=1)) as sandbox:
            sandbox.execute([program])
    except (CodeLutraError, OSError) as error:
        return Finding(kind, False, str(error))
    return Finding(kind, True, f"{shutil.which(command.interpreter)}, fenced")


def _starter() -> Finding:
    from codelutra.starter import MODEL_DIR
    from codelutra.tasks import load_tasks

    try:
        count = len(load_tasks(STARTER))
    except (CodeLutraError, OSError) as error:
        return Finding("starter", False, str(error))
    size = sum(path.stat().st_size for path in MODEL_DIR.iterdir()) / 1e6
    return Finding("starter", True, f"{count} tasks, model of {size:.1f} MB")


def _no_runs() -> Finding:
    rest = "browsing, curating, checking golds and remote models work"
    return Finding("runs", False, f"none: {why_no_runs()}; {rest}")


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", False, "none: the starter works, models of 1B and more crawl")
    memory = torch.cuda.get_device_properties(0).total_memory / GIB
    return Finding("gpu", True, f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB")


def _vllm() -> Finding:
    if importlib.util.find_spec("vllm"):
        return Finding("vllm", True, "installed")
    return Finding("vllm", False, "not installed: sampling runs on transformers, slower on a GPU")


def _cpu() -> Finding:
    from codelutra.generation.transformers_backend import has_fast_bfloat16

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if has_fast_bfloat16():
        return Finding("cpu", True, f"{cores} cores, bfloat16")
    return Finding("cpu", True, f"{cores} cores, float32 (no fast bfloat16)")
