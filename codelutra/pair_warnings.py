"""What speaks against a preference pair, and how doubtful it is: for people, who decide.

Knows no database and runs no program. Every threshold here is ours but for `tiny_edit`'s reason.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from codelutra.asserts import weak_proof
from codelutra.code_tokens import Source, distance, is_same
from codelutra.prompting import extract_program
from codelutra.records import PairNotes, PreferencePair, Sample, VerdictKind
from codelutra.tasks.task import Task

CountTokens = Callable[[str], int]


class PairWarning(StrEnum):
    NEAR_DUPLICATE = "near_duplicate"
    FORMAT_ONLY = "format_only"
    TINY_EDIT = "tiny_edit"
    LENGTH = "length"
    TOO_LONG = "too_long"
    FLAKY = "flaky"
    GOLD_SUSPECT = "gold_suspect"
    WEAK_PROOF = "weak_proof"


MEANING: Mapping[PairWarning, str] = {
    PairWarning.NEAR_DUPLICATE: "both programs are nearly those of an earlier pair of the task",
    PairWarning.FORMAT_ONLY: "the programs differ in whitespace, comments or formatting only",
    PairWarning.TINY_EDIT: "at most two tokens differ: training may make both less likely",
    PairWarning.LENGTH: "one program has more than three times the tokens of the other",
    PairWarning.TOO_LONG: "longer than training's maximum length: it is left out of the training",
    PairWarning.FLAKY: "a program had another verdict when it was run again",
    PairWarning.GOLD_SUSPECT: "many samples agree with each other and not with the gold",
    PairWarning.WEAK_PROOF: "the tests run beside the program, which could forge a pass",
}

# How likely each makes it that the label is wrong or of no use. Not measured: an order in which
# to look. They add up as chances do: doubt = 1 - product of (1 - weight).
WEIGHT: Mapping[PairWarning, float] = {
    PairWarning.FLAKY: 0.7,
    PairWarning.GOLD_SUSPECT: 0.6,
    PairWarning.FORMAT_ONLY: 0.5,
    PairWarning.WEAK_PROOF: 0.25,
    PairWarning.TINY_EDIT: 0.2,
    PairWarning.LENGTH: 0.15,
    PairWarning.NEAR_DUPLICATE: 0.1,
    PairWarning.TOO_LONG: 0.05,
}
RARE_PASS = 0.3  # the weight of a task that nearly no sample solves
FEW_GRADED = 5  # so many samples count half as much as very many

SIMILARITY = 0.95
MAX_APART = 64  # tokens, for programs so long that 5 % would be more: it bounds the cost
MAX_EARLIER = 100  # pairs of a task that a pair is compared with
TINY = 2  # tokens; Pal et al., DPO-Positive, arXiv 2402.13228: the chosen side loses likelihood
LENGTH_RATIO = 3
LEAST_AGREEING = 3  # different programs
MARGIN = 16  # tokens by which the parts of a text may be told apart from the whole


def warn(
    pairs: Sequence[PreferencePair],
    samples: Sequence[Sample],
    tasks: Mapping[str, Task],
    count_tokens: CountTokens | None,
    max_length: int,
) -> list[PairNotes]:
    """In the order of `pairs`. `samples` are those that they were built from, all of them.

    `count_tokens` counts a text as the model reads it; None: lengths are not checked.
    """
    graded: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.verdict and sample.verdict.kind is not VerdictKind.HARNESS_ERROR:
            graded[sample.task_id].append(sample)
    places: dict[str, list[int]] = defaultdict(list)
    for place, pair in enumerate(pairs):
        places[pair.task_id].append(place)
    notes: dict[int, PairNotes] = {}
    for task_id, of_task in places.items():  # task by task: nothing is kept of the ones before
        known = _OfTask(tasks[task_id], graded[task_id], count_tokens, max_length)
        notes.update((place, known.notes(pairs[place])) for place in of_task)
    return [notes[place] for place in range(len(pairs))]


def doubt(warnings: Sequence[str], num_correct: int, num_graded: int) -> float:
    """Between 0 and 1, from the warnings and how seldom the task is solved."""
    trust = 1 - rare_pass(num_correct, num_graded)
    for warning in warnings:
        trust *= 1 - WEIGHT[PairWarning(warning)]
    return 1 - trust


def rare_pass(num_correct: int, num_graded: int) -> float:
    """Where one of many samples passes, it may have passed by luck. 0 from one half on."""
    if not num_graded:
        return 0.0
    rarity = max(0.0, 1 - 2 * num_correct / num_graded)
    return RARE_PASS * rarity * num_graded / (num_graded + FEW_GRADED)


@dataclass
class _OfTask:
    """What is known of a task, found once for all its pairs."""

    task: Task
    graded: Sequence[Sample]
    count_tokens: CountTokens | None
    max_length: int
    earlier: list[tuple[Source, Source]] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kinds = [sample.verdict.kind for sample in self.graded if sample.verdict]
        self.num_correct = kinds.count(VerdictKind.CORRECT)
        self.of_task: list[PairWarning] = []
        if self.is_gold_suspect():
            self.of_task.append(PairWarning.GOLD_SUSPECT)
        if weak_proof(self.task):
            self.of_task.append(PairWarning.WEAK_PROOF)

    def notes(self, pair: PreferencePair) -> PairNotes:
        warnings = tuple(warning.value for warning in (*self.of_pair(pair), *self.of_task))
        return PairNotes(warnings, doubt(warnings, self.num_correct, len(self.graded)))

    def of_pair(self, pair: PreferencePair) -> Iterator[PairWarning]:
        chosen, rejected = self.source(pair.chosen), self.source(pair.rejected)
        if self.is_near_earlier(chosen, rejected):
            yield PairWarning.NEAR_DUPLICATE
        if is_same(chosen, rejected):
            yield PairWarning.FORMAT_ONLY
        elif distance(chosen.code, rejected.code, TINY) <= TINY:
            yield PairWarning.TINY_EDIT
        short, long = sorted((len(chosen.code), len(rejected.code)))
        if long > LENGTH_RATIO * short:
            yield PairWarning.LENGTH
        if not (self.fits(pair.chosen) and self.fits(pair.rejected)):
            yield PairWarning.TOO_LONG

    def source(self, completion: str) -> Source:
        """The program in a completion; all of it where none is found."""
        if completion not in self.sources:
            program = extract_program(completion, self.task.kind).program or completion
            self.sources[completion] = Source(program, self.task.kind)
        return self.sources[completion]

    def is_near_earlier(self, chosen: Source, rejected: Source) -> bool:
        if any(is_near(chosen, c) and is_near(rejected, r) for c, r in self.earlier):
            return True
        if len(self.earlier) < MAX_EARLIER:
            self.earlier.append((chosen, rejected))
        return False

    def fits(self, completion: str) -> bool:
        """Training's rule (`batching.fits`), with the end token that its trainer adds.

        Counts of the prompt and of a completion decide unless it is close: prompts are long.
        """
        if self.count_tokens is None:
            return True
        room = self.max_length - 1 - self.length(self.task.prompt) - self.length(completion)
        if abs(room) > MARGIN:
            return room > 0
        return self.length(self.task.prompt + completion) + 1 <= self.max_length

    def length(self, text: str) -> int:
        assert self.count_tokens is not None
        if text not in self.lengths:
            self.lengths[text] = self.count_tokens(text)
        return self.lengths[text]

    def is_gold_suspect(self) -> bool:
        """Do at least half of the samples, and more than pass, give one other answer?"""
        agreeing: dict[str, list[Sample]] = defaultdict(list)
        for sample in self.graded:
            verdict = sample.verdict
            if verdict and verdict.kind is VerdictKind.WRONG_RESULT and verdict.detail:
                agreeing[verdict.detail].append(sample)
        if not agreeing:
            return False
        most = max(agreeing.values(), key=len)
        if 2 * len(most) < len(self.graded) or len(most) <= self.num_correct:
            return False
        return len({self.source(sample.completion).code for sample in most}) >= LEAST_AGREEING


def is_near(left: Source, right: Source) -> bool:
    """At most 5 % of the longer one's tokens differ, and no more than MAX_APART."""
    if left is right:
        return True
    limit = min(MAX_APART, int((1 - SIMILARITY) * max(len(left.code), len(right.code)) + 1e-9))
    return distance(left.code, right.code, limit) <= limit
