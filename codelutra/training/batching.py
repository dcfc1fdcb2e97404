"""Which pairs share an optimiser step, and in which parts a step is run. Plain data, no tensors.

A row is a tokenised pair: task_id, prompt_ids, chosen_ids, rejected_ids.
"""

import random
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def fits(row: Row, max_length: int) -> bool:
    """Whether both sides, each with its prompt, have at most `max_length` tokens."""
    longest = max(len(row["chosen_ids"]), len(row["rejected_ids"]))
    return len(row["prompt_ids"]) + longest <= max_length


def steps(rows: Sequence[Row], batch_size: int, seed: int, in_order: bool) -> list[list[Row]]:
    """The rows of each optimiser step: whole tasks, until they have `batch_size` rows or more.

    Tasks come in random order, or as `rows` has them when `in_order`.
    """
    by_task: dict[str, list[Row]] = {}
    for row in rows:
        by_task.setdefault(row["task_id"], []).append(row)
    tasks = list(by_task.values())
    if not in_order:
        random.Random(seed).shuffle(tasks)
    groups: list[list[Row]] = []
    for task in tasks:
        if not groups or len(groups[-1]) >= batch_size:
            groups.append([])
        groups[-1] += task
    return groups


def parts(step: Sequence[Row], max_tokens: int, is_shared: bool) -> list[list[Row]]:
    """A step cut into runs of at most `max_tokens` tokens each; a row that has more runs alone."""
    cut: list[list[Row]] = [[]]
    for row in step:
        if cut[-1] and _tokens([*cut[-1], row], is_shared) > max_tokens:
            cut.append([])
        cut[-1].append(row)
    return cut


def _tokens(rows: Sequence[Row], is_shared: bool) -> int:
    """Tokens that are run: of the distinct texts behind each prompt, or of the padded batch."""
    sides = [(tuple(r["prompt_ids"]), tuple(r[s])) for r in rows for s in _SIDES]
    if not is_shared:
        return len(sides) * max(len(prompt) + len(text) for prompt, text in sides)
    prompts = sum(len(prompt) for prompt in {prompt for prompt, _ in sides})
    return prompts + sum(len(text) for _, text in set(sides))


_SIDES = ("chosen_ids", "rejected_ids")
