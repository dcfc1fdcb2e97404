"""The yield of an iteration as bars: from its tasks to the pairs that train."""

from dataclasses import dataclass

from pages.format import NO_VALUE, count, percent
from storage.health import Funnel


@dataclass(frozen=True)
class Stage:
    """One bar: `before` is the stage its share is of, `most` what a full bar stands for."""

    label: str
    unit: str  # the bars of a unit share a scale
    number: int | None
    before: int | None = None
    of: str = ""
    most: int | None = None


def stages(found: Funnel) -> list[Stage]:
    tasks, samples, pairs = found.tasks, found.samples, found.pairs
    mixed = Stage(
        "tasks with correct and incorrect programs",
        "tasks", found.mixed_tasks, tasks, "tasks", tasks,
    )  # fmt: skip
    by_gold = Stage("tasks paired by their gold", "tasks", found.gold_tasks, tasks, "tasks", tasks)
    kept, trained = found.kept_pairs, found.trained_pairs
    return [
        Stage("training tasks", "tasks", tasks, most=tasks),
        Stage("programs sampled", "programs", samples, most=samples),
        Stage("graded", "programs", found.graded, samples, "programs", samples),
        mixed,
        *([by_gold] if found.gold_tasks else []),
        Stage("pairs", "pairs", pairs, most=pairs),
        Stage("after vetoes", "pairs", kept, pairs, "pairs", pairs),
        Stage("after the length limit", "pairs", trained, kept, "those kept", pairs),
    ]


def funnel_bars(found: Funnel | None) -> str:
    if found is None:
        return ""
    items = "".join(_item(stage) for stage in stages(found))
    return f'<ol class="funnel" aria-label="Yield of the iteration">{items}</ol>'


def _item(stage: Stage) -> str:
    number = NO_VALUE if stage.number is None else count(stage.number)
    share = ""
    if stage.before and stage.number is not None:
        share = f"{percent(stage.number / stage.before)} of {stage.of}"
    width = 100 * (stage.number or 0) / stage.most if stage.most else 0.0
    return (
        f'<li data-stage="{stage.label}"><span class="stage">{stage.label}</span>'
        f'<i class="yield {stage.unit}" aria-hidden="true">'
        f'<i style="width:{min(100.0, width):.1f}%"></i></i>'
        f'<b>{number}</b> <span class="faint">{share}</span></li>'
    )
