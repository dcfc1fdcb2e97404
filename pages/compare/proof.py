"""Who answered in a column and how that is known, and where two columns begin to differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from codelutra.model_states import Proof
from codelutra.probe import NOISE_NATS
from pages.format import text
from pages.pair_html import visible
from storage.compare_models import Answer, Comparison, Vote
from storage.run_status import RunStatus

LETTERS = "ABCD"
APART_NATS = 0.5  # of a token that is marked


@dataclass(frozen=True)
class Shown:
    """All that is said of a comparison."""

    row: Comparison
    answers: Sequence[Answer]
    vote: Vote | None
    status: RunStatus
    error: str
    pair_note: str = ""  # HTML: what became of the pair that was made of it

    @property
    def is_named(self) -> bool:
        """Blind columns have no name until the vote."""
        return not self.row.is_blind or self.vote is not None

    @property
    def is_over(self) -> bool:
        return self.row.finished_at is not None

    def of(self, place: int) -> list[Answer]:
        return [answer for answer in self.answers if answer.place == place]

    def name(self, place: int) -> str:
        letter = LETTERS[place]
        return f"{letter}: {self.row.columns[place]['label']}" if self.is_named else letter


def same(shown: Shown) -> str:
    """A warning where two states gave the same greedy text."""
    row = shown.row
    if not shown.is_over or row.settings["temperature"] > 0:
        return ""
    texts = {answer.place: answer.text for answer in shown.answers if answer.state == "done"}
    places = [
        f"{LETTERS[one]} and {LETTERS[other]}"
        for one in texts
        for other in texts
        if one < other and texts[one] == texts[other]
    ]
    if not places:
        return ""
    return (
        f'<div class="note warn" data-same><b>{text(", ".join(places))} gave the same text.</b> '
        "For one prompt that can be so; the probe below shows whether they are different models "
        "at all.</div>"
    )


def proof(shown: Shown, place: int) -> str:
    """Who answered, as the engine says, beside what was recorded."""
    known = (shown.row.proofs or [])[place : place + 1]
    if not known or not known[0]:
        return ""
    found = Proof(**known[0])
    if found.problem:
        return (
            f'<div class="note bad" role="alert" data-untrue><b>This answer is not true.</b> '
            f"{visible(found.problem)}.</div>"
        )
    is_counted = found.num_tokens and found.seconds  # some remote servers count no tokens
    rate = f" · {found.num_tokens / found.seconds:.0f} tokens/s" if is_counted else ""
    facts = [f"base {visible(found.model)} <code>{text(found.revision[:19])}</code>"]
    if found.adapter:
        same = " = as recorded" if found.recorded_sha256 else ", nothing recorded to compare with"
        facts.append(
            f"adapter <code>{visible(found.adapter)}</code> sha256 <code>"
            f"{text(found.sha256[:12])}</code>{same}"
        )
    elif found.backend.startswith("remote"):
        facts = [f"model {visible(found.model)}, as the server says; nothing proves it"]
    else:
        facts.append("no adapter")
    probe = f" · {text(found.probe)}" if found.probe else ""
    return (
        f'<div class="proof faint" data-proof>{" · ".join(facts)} · {visible(found.backend)}{rate}'
        f"{probe}</div>"
    )


def probe(shown: Shown) -> str:
    if not shown.is_over or not shown.is_named or not any(a.text for a in shown.answers):
        return ""
    found: dict[str, Any] | None = shown.row.probe
    if found is None and shown.row.wants_probe:
        return f'<div class="note" role="status">{text(shown.row.note or "Probing …")}</div>'
    if found is None:
        return (
            '<p><button class="act" data-do="probe">Probe: where do they first differ?</button> '
            '<span class="faint">All of one base read the first answer, token by token.</span></p>'
        )
    if "error" in found:
        return f'<div class="note bad" role="alert" data-probe>{text(found["error"])}</div>'
    return _probed(found)


def _probed(found: dict[str, Any]) -> str:
    """Each two columns, and the text as the first two read it that differ."""
    sides = list(zip((LETTERS[place] for place in found["places"]), found["logprobs"], strict=True))
    said, text_of = [], ""
    for (one, left), (other, right) in combinations(sides, 2):
        gaps = [a - b for a, b in zip(left, right, strict=True)]
        apart = sum(map(abs, gaps))
        first = next((place for place, gap in enumerate(gaps) if abs(gap) > NOISE_NATS), None)
        if first is None:
            said.append(
                f'<div class="note warn">To {one} and {other} every token of the answer is '
                f"equally likely ({apart:.3f} nats apart in all): they are the same model.</div>"
            )
            continue
        said.append(
            f'<div class="note good">{one} and {other} first differ at token {first + 1}, '
            f"<code>{visible(found['tokens'][first])}</code>: log-probability {left[first]:.3f} "
            f"and {right[first]:.3f}; {apart:.2f} nats apart in all.</div>"
        )
        text_of = text_of or "".join(
            f'<span class="{_mark(place, first, a - b)}" '
            f'title="{one} {a:.3f}, {other} {b:.3f}">{visible(token)}</span>'
            for place, (token, a, b) in enumerate(zip(found["tokens"], left, right, strict=True))
        )
    strip = f'<pre class="code probe">{text_of}</pre>' if text_of else ""
    return f"<div data-probe>{''.join(said)}{strip}</div>"


def _mark(place: int, first: int, gap: float) -> str:
    if place == first:
        return "first"
    return "apart" if abs(gap) > APART_NATS else ""
