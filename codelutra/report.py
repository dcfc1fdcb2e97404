"""A run as a report, from its ledger: blocks that `report_text.py` writes as HTML or Markdown.

python -m codelutra report RUN --out report.html
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from codelutra import __version__
from codelutra.config import UNSAFE
from codelutra.config_rows import config_rows
from codelutra.evaluation import correct_tasks, gain_interval, mean_pass_at_k
from codelutra.ledger import Ledger
from codelutra.models import short_name
from codelutra.records import Sample, VerdictKind
from codelutra.report_charts import charts
from codelutra.summary import run_summary

HOW = (
    "pass@1 is the share of held-out tasks that one greedy program solves; its 95 % interval is "
    "Wilson's. A gain is of the same tasks, with Tango's paired score interval: where that holds "
    "zero, the difference may be chance (McNemar's test). pass@k is the unbiased estimate from the "
    "programs sampled for the training tasks. Harness errors are in no share. One run, seed {seed}."
)
KS = (1, 5, 10)


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: str
    is_warning: bool = False


@dataclass(frozen=True)
class Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    title: str
    svg: str


Block = Heading | Paragraph | Table | Chart


def report(ledger: Ledger, *, name: str = "", status: str = "") -> list[Block]:
    """`name` and `status` are what the dashboard calls the run; its folder where there is none."""
    summary = run_summary(ledger)
    policies = _policies(summary)
    config = ledger.config
    title = (
        f"{name or ledger.folder.name}: {short_name(config.model)} on {short_name(config.tasks)}"
    )
    blocks: list[Block] = [
        Heading(title, 1),
        *_caveats(ledger),
        _headline(ledger, policies, status),
    ]
    if policies:
        blocks += [Chart(*chart) for chart in charts(policies)]
        blocks += _tables(ledger, policies)
    blocks += [Heading("Alerts"), *_alerts(summary)]
    blocks += [Heading("Method"), Paragraph(HOW.format(seed=ledger.config.seed))]
    blocks += [Heading("Settings"), _settings(ledger)]
    return [*blocks, Paragraph(f"Written by CodeLutra {__version__}.")]


def _policies(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scored policies in order, the base first."""
    if summary["base"] is None:
        return []
    return [{"iteration": 0, "heldout": summary["base"]}, *summary["iterations"]]


def _caveats(ledger: Ledger) -> Iterator[Block]:
    trust = ledger.trust()
    if trust.is_unfenced:
        yield Paragraph(
            f"Executed without a sandbox ({UNSAFE}): every verdict could have been forged.", True
        )
    if trust.num_weak:
        yield Paragraph(
            f"Weak proof: the tests of {trust.num_weak:,} tasks run beside the program, which "
            "could forge a pass.",
            True,
        )


def _headline(ledger: Ledger, policies: Sequence[Mapping[str, Any]], status: str) -> Block:
    state = f" The run is {status}." if status else ""
    if not policies:
        return Paragraph(f"Nothing is measured yet.{state}")
    done, planned = len(policies) - 1, ledger.config.iterations
    first = f"Base: {_score(policies[0])}."
    if not planned:
        return Paragraph(f"{first} Nothing was to be trained.{state}")
    if not done:
        return Paragraph(f"{first} No iteration is evaluated yet, of {planned} planned.{state}")
    gain = _gain(*(_solved(ledger, policy) for policy in (policies[0], policies[-1])))
    return Paragraph(
        f"{first} After {done} of {planned} iterations: {_score(policies[-1])}. Gain on the same "
        f"tasks: {gain}.{state}"
    )


def _tables(ledger: Ledger, policies: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    solved = [_solved(ledger, policy) for policy in policies]
    yield Heading("Held-out accuracy")
    yield Table(
        ("policy", "pass@1 (95 % interval)", "n", "syntax errors", "gain over the base"),
        [
            (
                policy_name(policy), _score(policy), f"{policy['heldout']['n']:,}",
                percent(policy["heldout"]["syntax_error"]),
                _gain(solved[0], mine) if policy["iteration"] else "–",
            )
            for policy, mine in zip(policies, solved, strict=True)
        ],
    )  # fmt: skip
    if len(policies) > 1:
        yield Heading("What changed from policy to policy")
        yield Table(
            ("from", "to", "fixed", "broken", "still right", "still wrong", "gain"),
            [
                (policy_name(was), policy_name(now), *_flips(before, after), _gain(before, after))
                for (was, now), (before, after) in zip(
                    pairwise(policies), pairwise(solved), strict=True
                )
            ],
        )
    yield Heading("Verdicts on held-out tasks")
    kinds = [
        k for k in VerdictKind if any(k in policy["heldout"]["verdicts"] for policy in policies)
    ]
    yield Table(
        ("policy", *(kind.replace("_", " ") for kind in kinds)),
        [
            (policy_name(p), *(f"{p['heldout']['verdicts'].get(kind, 0):,}" for kind in kinds))
            for p in policies
        ],
    )
    if len(policies) > 1:
        yield from _iterations(ledger, policies[1:])


def _iterations(ledger: Ledger, rounds: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    yield Heading("Yield of the iterations")
    names = ("tasks", "samples", "graded", "tasks_with_both", "pairs", "after_length")
    yield Table(
        ("iteration", *(name.replace("_", " ") for name in names), "syntax errors, sampled"),
        [
            (
                str(each["iteration"]),
                *(_count(each["yield"][name]) for name in names),
                percent(each["samples"]["syntax_error"]),
            )
            for each in rounds
        ],
    )
    yield Heading("Sampled programs for the training tasks")
    ks = [k for k in KS if k <= ledger.config.sampling.num_samples]
    yield Table(
        ("sampled from", *(f"pass@{k} (95 % interval)" for k in ks)),
        [(_before(each), *_passes(ledger, each["iteration"], ks)) for each in rounds],
    )
    yield Heading("Time and tokens")
    phases = ("sample", "execute", "pair", "train", "evaluate")
    yield Table(
        ("iteration", *(f"{phase}, s" for phase in phases), "tokens sampled", "trained on"),
        [
            (
                str(each["iteration"]),
                *(f"{each['seconds'].get(phase, 0):,.0f}" for phase in phases),
                f"{each['tokens'].get('sample', 0):,}",
                _tokens(each["training"], ledger.config.training.epochs),
            )
            for each in rounds
        ],
    )


def _passes(ledger: Ledger, iteration: int, ks: Sequence[int]) -> Iterator[str]:
    """Of each task's first samples: what a low yield adds is of the hard tasks alone."""
    first = ledger.config.sampling.num_samples
    counts = solved_counts([s for s in ledger.samples(iteration, "train") if s.index < first])
    for k in ks:
        found = mean_pass_at_k(counts, k)
        yield _with_interval(*found) if found else "–"


def solved_counts(samples: Sequence[Sample]) -> Counter[tuple[int, int]]:
    """Tasks by (graded, correct) programs; harness errors are left out."""
    graded: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    for sample in samples:
        if sample.verdict and sample.verdict.kind is not VerdictKind.HARNESS_ERROR:
            graded[sample.task_id] += 1
            correct[sample.task_id] += sample.verdict.kind is VerdictKind.CORRECT
    return Counter((n, correct[task]) for task, n in graded.items())


def _alerts(summary: Mapping[str, Any]) -> Iterator[Block]:
    rows = [
        (str(each["iteration"]), alert["kind"], alert["seen"], alert["advice"])
        for each in summary["iterations"]
        for alert in each["alerts"]
    ]
    yield Table(("iteration", "kind", "seen", "try"), rows) if rows else Paragraph("None.")


def _settings(ledger: Ledger) -> Table:
    """Folders by their last part: where they are is nobody's business."""
    shown = {
        "tasks": short_name(ledger.config.tasks),
        "model": short_name(ledger.config.model),
        "quarantined": f"{len(ledger.config.quarantined):,} tasks",
    }
    rows = [
        (name, str(shown.get(name, value)), about)
        for name, value, about in config_rows(ledger.config)
    ]
    return Table(("setting", "value", "meaning (source)"), rows)


def _solved(ledger: Ledger, policy: Mapping[str, Any]) -> dict[str, bool]:
    return correct_tasks(ledger.samples(policy["iteration"], "heldout"))


def _flips(before: Mapping[str, bool], after: Mapping[str, bool]) -> tuple[str, ...]:
    found = Counter((before[task], after[task]) for task in before.keys() & after.keys())
    order = ((False, True), (True, False), (True, True), (False, False))
    return tuple(f"{found[pair]:,}" for pair in order)


def _gain(before: Mapping[str, bool], after: Mapping[str, bool]) -> str:
    """+7.5 points (+3.1 to +11.9, n = 200)"""
    both = before.keys() & after.keys()
    if not both:
        return "no task in common"
    fixed = sum(after[task] and not before[task] for task in both)
    broken = sum(before[task] and not after[task] for task in both)
    low, high = gain_interval(fixed, broken, len(both))
    gain = (fixed - broken) / len(both)
    return f"{100 * gain:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}, n = {len(both):,})"


def _score(policy: Mapping[str, Any]) -> str:
    return _with_interval(policy["heldout"]["pass@1"], *policy["heldout"]["ci95"])


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{percent(value)} ({100 * low:.1f} to {100 * high:.1f})"


def policy_name(policy: Mapping[str, Any]) -> str:
    return f"iteration {policy['iteration']}" if policy["iteration"] else "base"


def _before(policy: Mapping[str, Any]) -> str:
    number = policy["iteration"] - 1
    return f"iteration {number}" if number else "base"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _tokens(training: Mapping[str, Any] | None, epochs: int) -> str:
    return f"{training['run_tokens'] * epochs:,}" if training else "–"
