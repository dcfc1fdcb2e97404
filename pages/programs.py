"""A graded program as HTML: its verdict, why, its text and what it printed."""

from collections.abc import Sequence

from codelutra.records import ExtractionRule
from pages.format import VERDICTS, text
from storage.models import Sample

EMPTY = '<p class="faint">No program is graded yet.</p>'
FLAKY = '<span class="mark">flaky: another verdict when run again, never in a pair</span>'
# Nothing is said of the whole text, nor of an empty one, which shows by itself.
FOUND = {
    ExtractionRule.FENCED: "code found in a fenced block",
    ExtractionRule.UNCLOSED_FENCE: "code found in a fenced block that is not closed",
    ExtractionRule.BEFORE_FENCE: "code found before a closing fence",
    ExtractionRule.CHATTER_CUT: "prose around the code left out",
    ExtractionRule.ONLY_PROSE: "no code found: prose only",
    ExtractionRule.OTHER_LANGUAGE: "no code found: fenced blocks in other languages only",
    ExtractionRule.ENDLESS_THOUGHT: "no code found: the thinking never ends",
    "thought": "thinking left out",
}


def programs(samples: Sequence[Sample]) -> str:
    items = "".join(map(_program, samples))
    return f'<ol class="programs">{items}</ol>' if items else EMPTY


def verdict(kind: str) -> str:
    look = VERDICTS[kind]
    return f'<b class="verdict" data-verdict="{kind}" style="--of:{look.colour}">{look.label}</b>'


def found_by(extraction: str) -> str:
    """How the program was found, in few words; '' where it is the whole text."""
    words = ", ".join(FOUND[word] for word in extraction.split() if word in FOUND)
    return f'<div class="faint">{words}</div>' if words else ""


def evidence(sample: Sample, name: str = "") -> str:
    """The verdict, why, the program and what it printed."""
    assert sample.verdict is not None
    printed = ""
    if sample.output:
        printed = f'<div class="label">printed</div><pre>{text(sample.output)}</pre>'
    return (
        f"{verdict(sample.verdict)} {name}"
        f'<span class="faint">{1000 * sample.seconds:.1f} ms of CPU time</span>'
        f"{FLAKY if sample.flaky else ''}"
        f'<div class="why">{text(sample.detail)}</div>{found_by(sample.extraction)}'
        f"<pre>{text(sample.completion.strip())}</pre>{printed}"
    )


def _program(sample: Sample) -> str:
    return f"<li>{evidence(sample, f'<code>{text(sample.task_id)}</code> ')}</li>"
