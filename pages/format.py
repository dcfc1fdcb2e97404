"""Numbers, words and colours as every page shows them. Everything returned as HTML is escaped."""

from dataclasses import dataclass
from html import escape

from codelutra import pace
from codelutra.records import VerdictKind

NO_VALUE = "–"
# Until the first answer, which may be an error: that there is nothing must be known to be said.
READING = '<section class="panel empty" data-state="reading"><p>Reading …</p></section>'


@dataclass(frozen=True)
class Look:
    """How a verdict is shown: its words, a colour (Okabe and Ito's set) and a bar pattern."""

    label: str
    colour: str
    pattern: str = ""  # plotly's pattern shape: the colour is never the only sign


VERDICTS: dict[str, Look] = {
    VerdictKind.CORRECT: Look("correct", "#009e73"),
    VerdictKind.WRONG_RESULT: Look("wrong result", "#e69f00", "/"),
    VerdictKind.SYNTAX_ERROR: Look("syntax error", "#cc5500", "x"),
    VerdictKind.RUNTIME_ERROR: Look("runtime error", "#b5609a", "\\"),
    VerdictKind.TIMEOUT: Look("timeout", "#56b4e9", "-"),
    VerdictKind.FORBIDDEN: Look("forbidden", "#0072b2", "+"),
    VerdictKind.NO_CODE: Look("no code", "#8a8f98", "."),
    VerdictKind.HARNESS_ERROR: Look("harness error", "#4b5563", "|"),
}

PHASES = ("sample", "execute", "pair", "train", "evaluate")


def percent(share: float | None, digits: int = 1) -> str:
    return NO_VALUE if share is None else f"{100 * share:.{digits}f}%"


def interval(low: float | None, high: float | None) -> str:
    """A 95 % interval in percent, without its unit: 56.7 to 66.1."""
    if low is None or high is None:
        return NO_VALUE
    return f"{100 * low:.1f} to {100 * high:.1f}"


def points(difference: float) -> str:
    """A difference of two shares, in percentage points, with its sign."""
    return f"{100 * difference:+.1f} points"


def signed_interval(low: float, high: float) -> str:
    """A 95 % interval of a difference, in points: +6.1 to +27.9."""
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def duration(seconds: float | None) -> str:
    """Rounded to what a person plans with, or that it is not known."""
    return NO_VALUE if seconds is None else pace.duration(seconds)


def count(number: int) -> str:
    return f"{number:,}"


def chip(status: str) -> str:
    """A status as one word on a coloured ground; the same on every page."""
    word = escape(status)
    return f'<span class="chip chip-{word}" data-status="{word}">{word}</span>'


def text(value: object) -> str:
    """Anything, as text that no browser takes for markup."""
    return escape(str(value))


def caption(title: str, about: str) -> str:
    """The heading of a chart or a part of a page, and what it shows."""
    return f'<h4 class="caption">{text(title)} <small>{text(about)}</small></h4>'
