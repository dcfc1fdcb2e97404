"""Where a run is: its iteration and phase, how fast and how long still, what the machine does."""

from collections.abc import Sequence
from datetime import UTC, datetime

from codelutra.fit import gib
from pages.estimate import phase_rate
from pages.format import PHASES, count, duration, text
from pages.run_view import AT_WORK, RunView
from storage.run_status import RunStatus

UNITS = {"sample": "programs", "execute": "programs", "train": "steps", "evaluate": "tasks"}
DOING = {
    "sample": "sampling programs",
    "execute": "executing programs",
    "pair": "pairing correct with incorrect programs",
    "train": "training the adapter",
    "evaluate": "evaluating on validation and held-out tasks",
}


def progress_of(view: RunView) -> str:
    """The phases of this iteration, the bar, and how long it still takes."""
    now = view.progress
    if now is None or view.status is RunStatus.COMPLETED:
        return ""
    share = min(1.0, now.done / now.total) if now.total else 0.0
    where = f"Iteration {now.iteration} of {view.ends_after}" if now.iteration else "Base model"
    state = "moving" if view.status in AT_WORK else "still"
    amount = f"{count(now.done)} of {count(now.total)} {UNITS.get(now.phase, '')}"
    return (
        f'<div class="progress {state}"><div class="where"><b>{where}</b>: '
        f"{DOING.get(now.phase, text(now.phase))}</div>{_stepper(view)}"
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{round(100 * share)}" aria-label="{where}, {text(now.phase)}">'
        f'<i style="width:{100 * share:.1f}%"></i></div>'
        f'<div class="under"><span>{amount if now.total else "loading the model"}</span>'
        f"{_times(view)}</div>{_machine(view)}</div>"
    )


def _times(view: RunView) -> str:
    assert view.progress is not None
    if view.status is not RunStatus.RUNNING:
        return ""
    age = max(0.0, (datetime.now(UTC) - view.progress.updated_at).total_seconds())
    left, rate = view.left, phase_rate(view.progress)
    speed = f"{rate:,.1f}" if rate and rate < 100 else f"{rate or 0:,.0f}"
    return (
        (f"<span>{speed} a second</span>" if rate else "")
        + f"<span>this phase: {_left(left.phase)}</span><span>whole run: {_left(left.run)}</span>"
        f'<span class="faint">last sign of life <span data-age="{age:.0f}">{age:.0f} s</span> ago'
        "</span>"
    )


def _machine(view: RunView) -> str:
    """Processors, memory and GPU, as the worker saw them; '' where it is not at work."""
    now = view.machine
    if now is None:
        return ""
    cores = "1 core" if now["cpu_cores"] == 1 else f"{now['cpu_cores']} cores"
    gauges = [
        _gauge(f"CPU, {cores}", now["cpu_percent"], ""),
        _gauge("Memory", *_used(now["memory_used"], now["memory_total"])),
    ]
    if gpu := now["gpu"]:
        gauges.append(_gauge(text(gpu["name"]), gpu["percent"], ""))
        gauges.append(_gauge("GPU memory", *_used(gpu["memory_used"], gpu["memory_total"])))
    else:
        gauges.append("<span>no GPU in use: everything runs on the processors</span>")
    return f'<div class="gauges" aria-label="This machine">{"".join(gauges)}</div>'


def _used(used: int, total: int) -> tuple[float, str]:
    return 100 * used / total, f", {gib(used)} of {gib(total)}"


def _gauge(name: str, share: float, amount: str) -> str:
    return (
        f'<span>{name} <i class="gauge"><i style="width:{min(100, share):.0f}%"></i></i> '
        f"{share:.0f} %{amount}</span>"
    )


def _left(seconds: float | None) -> str:
    return "estimating" if seconds is None else f"<b>about {duration(seconds)}</b> left"


def _stepper(view: RunView) -> str:
    assert view.progress is not None
    now = view.progress
    phases: Sequence[str] = PHASES if now.iteration else ("evaluate",)
    here = phases.index(now.phase) if now.phase in phases else 0
    seconds = next((p.seconds for p in view.trend if p.iteration == now.iteration), {})
    steps = []
    for position, phase in enumerate(phases):
        state = "done" if position < here else "now" if position == here else "todo"
        took = duration(seconds.get(phase)) if state == "done" and phase in seconds else ""
        current = ' aria-current="step"' if state == "now" else ""
        steps.append(f'<li class="{state}"{current}>{phase}<small>{took}</small></li>')
    return f'<ol class="steps">{"".join(steps)}</ol>'
