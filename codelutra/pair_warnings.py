"""stub"""

from codelutra.records import PairNotes


def warn(pairs, samples, tasks, count_tokens, max_length):
    return [PairNotes() for _ in pairs]


WARNINGS = {"tiny_edit": "stub"}
