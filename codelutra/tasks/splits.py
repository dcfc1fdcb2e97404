"""Train and held-out, drawn by group: tasks on one database, or of one origin, stay together."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from codelutra.records import Split


def draw_splits(groups: Sequence[str], heldout_share: float, seed: int) -> Mapping[str, Split]:
    """The split of each group; `groups` names one a task.

    Groups in random order are held out until they have the share of the tasks, or nearly: one that
    would overshoot by more than it helps stays in train. Of two groups or more each side gets one.
    """
    sizes = Counter(groups)
    names = sorted(sizes)
    random.Random(seed).shuffle(names)
    wanted, held = heldout_share * len(groups), 0
    splits: dict[str, Split] = {}
    for name in names:
        gain = abs(wanted - held) - abs(wanted - held - sizes[name])
        is_last = len(splits) == len(names) - 1
        is_heldout = gain > 0 and not (is_last and "train" not in splits.values())
        splits[name] = "heldout" if is_heldout else "train"
        held += sizes[name] if is_heldout else 0
    if held == 0 and len(names) > 1 and heldout_share > 0:
        splits[min(names, key=lambda name: sizes[name])] = "heldout"
    return splits
