"""Train and held-out, drawn by family: tasks on one database, or of one origin, stay together."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from codelutra.records import Split


def split_by_family(
    families: Sequence[str], heldout_share: float, seed: int
) -> Mapping[str, Split]:
    """Families in random order are held out until they hold the share of the tasks, or nearly.

    A family that would overshoot by more than it helps stays in train. With two families or more
    each side gets one; `families` names one a task.
    """
    sizes = Counter(families)
    names = sorted(sizes)
    random.Random(seed).shuffle(names)
    wanted, held = heldout_share * len(families), 0
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
