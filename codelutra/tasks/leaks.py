"""Training tasks that give a held-out one away: nearly the same words, or the same gold."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codelutra.tasks.draft import Draft

WORDS = 3  # of a gram
ALIKE = 0.6  # Jaccard index of two texts' grams from which on they count as the same
COMMON = 200  # a gram of more training tasks than this points to none of them
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Leak:
    train_id: str
    heldout_id: str
    reason: str


def find_leaks(drafts: Sequence[Draft]) -> list[Leak]:
    """At most one for each pair of tasks. A schema, common to its database, is not compared."""
    train = [draft for draft in drafts if draft.task["split"] == "train"]
    grams = [grams_of(draft) for draft in train]
    by_gram: dict[tuple[str, ...], list[int]] = defaultdict(list)
    by_gold: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, draft in enumerate(train):
        by_gold[gold_of(draft)].append(place)
        for gram in grams[place]:
            by_gram[gram].append(place)
    leaks = []
    for draft in drafts:
        if draft.task["split"] == "heldout":
            reasons = dict(alike(grams_of(draft), grams, by_gram))
            reasons |= dict.fromkeys(by_gold[gold_of(draft)], "the same gold")
            leaks += [
                Leak(train[place].task["task_id"], draft.task["task_id"], reason)
                for place, reason in sorted(reasons.items())
            ]
    return leaks


def alike(
    mine: set[tuple[str, ...]],
    theirs: Sequence[set[tuple[str, ...]]],
    by_gram: dict[tuple[str, ...], list[int]],
) -> Iterator[tuple[int, str]]:
    places = (place for gram in mine if len(by_gram.get(gram, ())) <= COMMON
              for place in by_gram.get(gram, ()))  # fmt: skip
    for place in Counter(places):
        shared = len(mine & theirs[place])
        share = shared / (len(mine) + len(theirs[place]) - shared)
        if share >= ALIKE:
            yield place, f"{share:.0%} the same words"


def grams_of(draft: Draft) -> set[tuple[str, ...]]:
    text = " ".join(part for name, part in draft.parts.items() if name != "schema")
    words = _WORD.findall(text.lower())
    return {tuple(words[n : n + WORDS]) for n in range(max(1, len(words) - WORDS + 1))}


def gold_of(draft: Draft) -> tuple[str, ...]:
    """Its words and its database: the same text on another database is another program."""
    return (str(draft.task.get("database", "")), *_WORD.findall(str(draft.task["gold"])))
