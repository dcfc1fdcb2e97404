"""The tables of a model card: what was measured, seen and set. All of it from the run's ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from codelutra.config import UNSAFE, RefineConfig
from codelutra.config_rows import config_rows
from codelutra.evaluation import correct_tasks, gain_on_both
from codelutra.ledger import Ledger
from codelutra.records import Sample, Scores

UNKNOWN = "not recorded"
NONE = "–"
SAMPLES = ("iteration", "programs sampled", "pairs", "gold as chosen", "dropped as too long")
HOW = """\
One greedy program a task, so pass@1 is the share of tasks solved; one run, seed {seed}. n counts
graded tasks. Intervals of shares are Wilson's; a gain is paired, on the tasks that both policies
were graded on, and may be chance where its interval holds zero."""


def measured(ledger: Ledger, last: int) -> list[str]:
    """Scores of the base and of iterations 1 to `last`, and what to know before believing them."""
    header = (
        "policy",
        "held-out pass@1 (95 % interval)",
        "n",
        "syntax errors",
        "validation pass@1 (95 % interval)",
        "n",
        "gain over the base, held-out, points (95 % interval)",
    )
    base = ledger.samples(0, "heldout")
    rows = [
        (
            f"iteration {number}" if number else "base",
            *_scores(ledger.scores(number)),
            _syntax_errors(ledger.scores(number)),
            *_scores(ledger.scores(number, "validation")),
            _gain(base, ledger.samples(number, "heldout")) if number else NONE,
        )
        for number in range(last + 1)
    ]
    return [table(header, rows), HOW.format(seed=ledger.config.seed), *_caveats(ledger)]


def _scores(scores: Scores | None) -> tuple[str, str]:
    if scores is None:
        return "not measured", NONE
    low, high = scores.ci95
    return f"{_percent(scores.pass_at_1)} ({100 * low:.1f} to {100 * high:.1f})", str(
        scores.num_tasks
    )


def _syntax_errors(scores: Scores | None) -> str:
    return _percent(scores.syntax_error) if scores else NONE


def _gain(base: Sequence[Sample], policy: Sequence[Sample]) -> str:
    before, after = correct_tasks(base), correct_tasks(policy)
    both = before.keys() & after.keys()
    if not both:
        return "not measured"
    gain, low, high = (100 * share for share in gain_on_both(before, after))
    return f"{gain:+.1f} ({low:+.1f} to {high:+.1f}), n = {len(both)}"


def _caveats(ledger: Ledger) -> Iterator[str]:
    trust = ledger.trust()
    if trust.is_unfenced:
        yield (
            f"**Unfenced** ({UNSAFE}): programs ran without a sandbox, so verdicts, and with them "
            "every figure here, could have been forged."
        )
    if trust.num_weak:
        yield (
            f"**Weak proof**: the tests of {trust.num_weak:,} tasks run beside the program, which "
            "could forge a pass."
        )
    if ledger.config.training.load_in_4bit:
        yield "Trained over the base in 4 bits; measured over the base in its own precision."


def alerts(ledger: Ledger, last: int) -> str:
    """Of earlier iterations, too: their training is in these weights."""
    lines = [
        f"- iteration {number}{'' if alert.step is None else f', step {alert.step}'}: "
        f"**{alert.kind}**, {_one_line(alert.seen)} ({_one_line(alert.advice)})"
        for number in range(last + 1)
        for alert in ledger.alerts(number)
    ]
    return "\n".join(lines) or "None was raised in this iteration or in those before it."


def data(ledger: Ledger, last: int) -> tuple[str, str]:
    """How many tasks were seen, and what became of the samples of iterations 1 to `last`."""
    numbers = range(1, last + 1)
    drawn = {number: ledger.samples(number, "train") for number in numbers}
    train = _num_tasks(drawn.values())
    validation, heldout = (
        _num_tasks(ledger.samples(number, split) for number in range(last + 1))
        for split in ("validation", "heldout")
    )
    rows = []
    for number in numbers:
        pairs, facts = ledger.pairs(number), ledger.training_facts(number)
        rows.append(
            (
                str(number),
                f"{len(drawn[number]):,}",
                UNKNOWN if pairs is None else f"{len(pairs):,}",
                UNKNOWN if pairs is None else f"{sum(p.chosen_index is None for p in pairs):,}",
                UNKNOWN if facts is None else f"{facts.num_dropped:,}",
            )
        )
    return (
        f"{train:,} training, {validation:,} validation and {heldout:,} held-out tasks",
        table(SAMPLES, rows),
    )


def _num_tasks(samples: Iterable[Sequence[Sample]]) -> int:
    return len({sample.task_id for some in samples for sample in some})


def settings(config: RefineConfig, shown: Mapping[str, str]) -> str:
    """Every setting of the run; `shown` has what is shown instead of some values."""
    rows = [
        (f"`{name}`", f"`{shown.get(name, value)}`", meaning)
        for name, value, meaning in config_rows(config)
    ]
    return table(("setting", "value", "meaning (source)"), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(_one_line(cell).replace("|", r"\|") for cell in line) + " |"
        for line in lines
    )


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def _one_line(text: str) -> str:
    return " ".join(text.split())
