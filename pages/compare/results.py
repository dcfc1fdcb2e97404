"""What running an answer showed, as HTML: verdict, table or value, and how two results differ."""

from collections import Counter
from typing import Any

from codelutra.records import VerdictKind
from pages.format import count, text
from pages.pair_html import visible
from pages.programs import found_by, verdict
from storage.compare_models import Answer

MAX_SHOWN, MAX_ROWS = 2_000, 20  # characters of what was printed; rows that only one has
OUTCOMES = {"ok": "ran", "no_code": "no program found"}


def result(answer: Answer) -> str:
    known = answer.result
    if known is None:
        return ""
    if known["verdict"]:
        chip = verdict(known["verdict"])
    elif known["outcome"] in list(VerdictKind):
        chip = verdict(known["outcome"])
    else:
        chip = f"<b>{text(OUTCOMES.get(known['outcome'], known['outcome']))}</b>"
    flaky = ' <span class="mark">flaky: another outcome when run again</span>'
    detail = f'<div class="why">{visible(known["detail"])}</div>' if known["detail"] else ""
    printed = ""
    if output := known["output"]:
        cut = output[:MAX_SHOWN] + ("…" if len(output) > MAX_SHOWN else "")
        printed = f'<div class="label">printed</div><pre class="code">{visible(cut)}</pre>'
    return (
        f'<div class="ran" data-ran="{text(known["verdict"] or known["outcome"])}">{chip}'
        f'{flaky if known["flaky"] else ""} <span class="faint">'
        f"{1000 * known['seconds']:.1f} ms of CPU time</span>{detail}"
        f"{found_by(known['extraction'])}{value(known['shown'])}{figure(known.get('figure'))}"
        f"{printed}</div>"
    )


def value(shown: dict[str, Any] | None) -> str:
    if shown is None:
        return ""
    if "text" in shown:
        return f'<pre class="code" data-value>{visible(shown["text"])}</pre>'
    head = "".join(f'<th scope="col">{visible(name)}</th>' for name in shown["head"])
    rows = "".join(
        "<tr>" + "".join(f"<td>{visible(cell)}</td>" for cell in row) + "</tr>"
        for row in shown["rows"]
    )
    more = ""
    if shown["num_rows"] > len(shown["rows"]):
        of = f"{len(shown['rows'])} of {count(shown['num_rows'])}"
        more = f'<p class="faint">the first {of} rows</p>'
    if not shown["rows"]:
        more = '<p class="faint">no rows</p>'
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return (
        f'<div class="table-scroll"><table class="value" data-value>{top}<tbody>{rows}</tbody>'
        f"</table></div>{more}"
    )


def figure(known: str | None) -> str:
    if known is None:
        return ""
    if not known.startswith("data:image/png;base64,"):
        return f'<p class="faint">A figure was drawn, and is not shown: {text(known)}.</p>'
    return f'<img class="figure" data-figure alt="The figure that it drew" src="{text(known)}">'


def results_differ(left: Answer, right: Answer, names: tuple[str, str]) -> str:
    drawn, other = ((answer.result or {}).get("figure") or "" for answer in (left, right))
    if drawn.startswith("data:") and other.startswith("data:"):
        said = "are the same, to the pixel" if drawn == other else "differ"
        return f'<p class="says" data-results>Their figures {said}.</p>'
    both = [answer.result["shown"] if answer.result else None for answer in (left, right)]
    if not all(both):
        return ""
    one, other = both
    assert one
    assert other
    if one["digest"] == other["digest"]:
        return '<p class="says" data-results="same">Their results are the same.</p>'
    if "rows" not in one or "rows" not in other:
        return '<p class="says" data-results="differ">Their results differ.</p>'
    mine, theirs = (Counter(tuple(row) for row in each["rows"]) for each in (one, other))
    is_cut = any(each["num_rows"] > len(each["rows"]) for each in (one, other))
    parts = [_only(names[0], mine - theirs), _only(names[1], theirs - mine)]
    where = " (of the rows that are shown)" if is_cut else ""
    order = "" if any(parts) else ": in columns that are not shown, or in the order of rows"
    return (
        f'<p class="says" data-results="differ">Their results differ{where}{order}.</p>'
        f"{''.join(parts)}"
    )


def _only(name: str, rows: Counter[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    items = "".join(
        f"<li><code>{visible(', '.join(row))}</code></li>"
        for row in list(rows.elements())[:MAX_ROWS]
    )
    total = rows.total()
    more = f"<li>and {count(total - MAX_ROWS)} more</li>" if total > MAX_ROWS else ""
    return f'<div class="only"><b>Only {text(name)}</b><ul>{items}{more}</ul></div>'
