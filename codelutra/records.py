"""What a run produces: samples, verdicts, pairs, adapters, scores. Plain data, no behaviour."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Split = Literal["train", "validation", "heldout"]
SampleKey = tuple[str, int]  # (task_id, index)


class VerdictKind(StrEnum):
    """The label of a sample; the same words everywhere."""

    CORRECT = "correct"
    WRONG_RESULT = "wrong_result"
    RUNTIME_ERROR = "runtime_error"
    TIMEOUT = "timeout"
    SYNTAX_ERROR = "syntax_error"
    FORBIDDEN = "forbidden"
    NO_CODE = "no_code"
    HARNESS_ERROR = "harness_error"  # our fault: retried, never a label


class ExtractionRule(StrEnum):
    """How the program of a completion was found, or why there is none."""

    BARE = "bare"  # the whole text
    FENCED = "fenced"
    UNCLOSED_FENCE = "unclosed_fence"  # it may end at the token limit
    BEFORE_FENCE = "before_fence"  # the prompt opened the fence
    CHATTER_CUT = "chatter_cut"  # bare, without the prose around it
    EMPTY = "empty"  # none: no text
    ONLY_PROSE = "only_prose"  # none
    OTHER_LANGUAGE = "other_language"  # none: every fenced block is of another, or empty
    ENDLESS_THOUGHT = "endless_thought"  # none: a <think> that is never closed


@dataclass(frozen=True)
class Verdict:
    """A kind, one line of evidence for a person, and the CPU seconds the program took.

    `output` is the beginning of what the program printed: for people, never for the label.
    `flaky`: the outcome was another one when the program was run again alone. The label counts
    in an accuracy and never in a pair. `extraction` is the ExtractionRule by which the program was
    found, behind `thought ` where a <think> part was left out; '' in runs older than it.
    """

    kind: VerdictKind
    detail: str = ""
    seconds: float = 0.0
    flaky: bool = False
    output: str = ""
    extraction: str = ""


@dataclass(frozen=True)
class Sample:
    """One completion of one task; `(task_id, index)` is unique in an iteration's split.

    In split `train` it was drawn from the policy *before* the iteration's training, in
    `validation` and `heldout` (index 0, greedy) from the policy *after* it. Iteration 0 is the
    base model.
    """

    task_id: str
    index: int
    completion: str
    verdict: Verdict | None = None

    @property
    def key(self) -> SampleKey:
        return self.task_id, self.index


@dataclass(frozen=True)
class PreferencePair:
    """A correct and an incorrect program of one task. `*_index` is None for the task's gold.

    A pair from elsewhere has neither index, and a `prompt` where no task of the run has it.
    """

    task_id: str
    chosen: str
    rejected: str
    chosen_index: int | None
    rejected_index: int | None
    prompt: str = ""


@dataclass(frozen=True)
class PairNotes:
    """Why to look twice at a pair (kinds of pair_warnings.py), and how doubtful it is, 0 to 1."""

    warnings: tuple[str, ...] = ()
    doubt: float = 0.0


@dataclass(frozen=True)
class Veto:
    """A pair that a person ruled out; `reason` is a VetoReason of reviews.py."""

    task_id: str
    chosen: str
    rejected: str
    reason: str


@dataclass(frozen=True)
class Adapter:
    """LoRA weights on disk; `parent` is the sha256 of the adapter they continue, '' for none.

    `config_sha256` and `data_sha256` are of the settings and of the pairs it was trained with.
    """

    path: str
    sha256: str
    base_model: str
    base_revision: str
    reference: str
    parent: str = ""
    config_sha256: str = ""
    data_sha256: str = ""


@dataclass(frozen=True)
class TrainingFacts:
    """What became of an iteration's pairs. Tokens are of one pass over the pairs that fit.

    `fallback` says why stock TRL batches were used instead of prefix-shared ones, '' if not.
    """

    num_pairs: int  # that fit the maximum length
    num_dropped: int  # that did not
    stock_tokens: int
    run_tokens: int
    fallback: str = ""


@dataclass(frozen=True)
class Alert:
    """A sign that an iteration goes wrong: what was seen, and what to try. One of a kind each."""

    kind: str
    seen: str
    advice: str
    step: int | None = None  # of training


@dataclass(frozen=True)
class Trust:
    """What a reader must know before believing a run's verdicts."""

    is_unfenced: bool = False  # programs ran without a sandbox, as the user wished
    num_weak: int = 0  # tasks whose tests run beside the program, which could forge a pass


@dataclass(frozen=True)
class Scores:
    """Result of one policy on a split. Shares are of graded samples (harness errors left out)."""

    pass_at_1: float
    ci95: tuple[float, float]
    num_tasks: int
    syntax_error: float
    verdicts: dict[str, int] = field(default_factory=dict)
