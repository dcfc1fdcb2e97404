"""Which tasks of a set a run uses."""

from collections.abc import Sequence

from codelutra.config import RefineConfig
from codelutra.errors import TaskError
from codelutra.tasks.splits import draw_splits
from codelutra.tasks.task import Task


def select_tasks(tasks: Sequence[Task], config: RefineConfig) -> list[Task]:
    """The tasks a run uses, none in quarantine; a limited number is spread evenly over the set.

    A part of the training tasks becomes the validation part, unless the set names its own. A
    smoke test has one training task and no validation part.
    """
    chosen: list[Task] = []
    left_out = set(config.quarantined)
    for split, limit in (("train", config.max_train), ("heldout", config.max_heldout)):
        whole = [task for task in tasks if task.split == split]
        if not whole:
            raise TaskError(f"task set {config.tasks} has no {split} tasks: mark some with `split`")
        if split == "train" and config.train_kind:
            whole = _of_kind(whole, config)
        part = [task for task in whole if task.task_id not in left_out]
        if not part:
            raise TaskError(
                f"all {len(whole):,} {split} tasks of {config.tasks} are in quarantine: "
                "release some on the Tasks tab"
            )
        if config.smoke and split == "train":
            part = [_hardest(part, config)]
        chosen += _spread(part, limit or len(part))
    if config.smoke:
        return chosen
    named = [t for t in tasks if t.split == "validation" and t.task_id not in left_out]
    if config.train_kind:  # the iteration is chosen by what was trained on
        named = [task for task in named if task.kind == config.train_kind]
    return chosen + named if named else _with_validation(chosen, config)


def _of_kind(tasks: list[Task], config: RefineConfig) -> list[Task]:
    found = [task for task in tasks if task.kind == config.train_kind]
    if not found:
        kinds = ", ".join(sorted({task.kind for task in tasks}))
        raise TaskError(
            f"{config.tasks} has no train tasks of kind {config.train_kind!r}: give train_kind one "
            f"of [{kinds}], or leave it empty"
        )
    return found


def _with_validation(tasks: list[Task], config: RefineConfig) -> list[Task]:
    """Whole families of each language, so that validation asks what held-out asks."""
    train = [task for task in tasks if task.split == "train"]
    kept: set[str] = set()
    for kind in sorted({task.kind for task in train}):
        mine = [task for task in train if task.kind == kind]
        if config.validation_share * len(mine) < 1:
            continue
        groups = [task.family or task.task_id for task in mine]
        split = draw_splits(groups, config.validation_share, config.seed)
        kept |= {
            t.task_id for t, group in zip(mine, groups, strict=True) if split[group] != "train"
        }
    return [
        task.model_copy(update={"split": "validation"})
        if task.split == "train" and task.task_id in kept
        else task
        for task in tasks
    ]


def _spread(tasks: list[Task], limit: int) -> list[Task]:
    limit = min(limit, len(tasks))
    return [tasks[position * len(tasks) // limit] for position in range(limit)]


def _hardest(tasks: list[Task], config: RefineConfig) -> Task:
    """The one with the longest gold, which is hardly solved twice, so that a pair comes out.

    Its prompt leaves room for a whole program: a pair that is too long would not be trained on.
    """
    room = config.training.max_length - config.sampling.max_new_tokens
    fitting = [task for task in tasks if len(task.prompt) <= 2 * room]  # 2 characters a token
    if not fitting:
        return min(tasks, key=lambda task: len(task.prompt))
    return max(fitting, key=lambda task: len(task.gold))
