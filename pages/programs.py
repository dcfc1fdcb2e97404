"""A graded program as HTML: its verdict, why, its text and what it printed."""

from collections.abc import Sequence

from pages.format import VERDICTS, text
from storage.models import Sample

EMPTY = '<p class="faint">No program is graded yet.</p>'
FLAKY = '<span class="mark">flaky: another verdict when run again, never in a pair</span>'


def programs(samples: Sequence[Sample]) -> str:
    items = "".join(map(_program, samples))
    return f'<ol class="programs">{items}</ol>' if items else EMPTY


def verdict(kind: str) -> str:
    look = VERDICTS[kind]
    return f'<b class="verdict" data-verdict="{kind}" style="--of:{look.colour}">{look.label}</b>'


def _program(sample: Sample) -> str:
    assert sample.verdict is not None
    printed = ""
    if sample.output:
        printed = f'<div class="label">printed</div><pre>{text(sample.output)}</pre>'
    return (
        f"<li>{verdict(sample.verdict)} <code>{text(sample.task_id)}</code> "
        f'<span class="faint">{1000 * sample.seconds:.1f} ms of CPU time</span>'
        f"{FLAKY if sample.flaky else ''}"
        f'<div class="why">{text(sample.detail)}</div>'
        f"<pre>{text(sample.completion.strip())}</pre>{printed}</li>"
    )
