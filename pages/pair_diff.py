"""Two programs side by side: what they share, and which lines and tokens are not the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rapidfuzz.distance import Levenshtein

from codelutra.code_tokens import (
    Source,
    Token,
    changes,
    distance,
    is_code,
    is_same_tree,
    numbered,
)
from pages.code_html import Line, Shown, highlighted, line_html, plain, shown
from pages.format import count, text

__all__ = ["plain", "side_by_side"]

CONTEXT = 3  # equal lines shown around a difference
LEAST_FOLDED = 4
MAX_MATCHED = 2_500  # pairs of lines looked at for those that resemble each other most
UNLIKE = 0.7  # of a line's tokens differ: it is marked as one
ALONE = 0.5  # cost of a line without a partner; a pair of unlike ones costs 0.9 and so stays one
WORDS = frozenset({"keyword", "name", "string", "number"})


@dataclass(frozen=True)
class Row:
    """Places of lines, None on the side that has none."""

    left: int | None
    right: int | None
    state: str  # equal, spacing (code is the same), changed, only
    is_folded: bool = False


def side_by_side(
    chosen: str, rejected: str, kind: str, names: tuple[str, str] = ("chosen", "rejected")
) -> str:
    """The whole comparison; programs that are too long are cut first, and it is said."""
    left, right = shown(chosen, kind), shown(rejected, kind)
    rows = folded(list(aligned(left.lines, right.lines)))
    num_folded = sum(row.is_folded for row in rows)
    unfold = (
        f' <label><input type="checkbox" class="unfold"> show all {count(num_folded)} equal '
        "lines</label>"
        if num_folded
        else ""
    )
    return (
        f'<div class="diff"><p class="says">{verdict(chosen, rejected, left, right)}'
        f'{unfold}</p>{notes(left, right, names)}<div class="sides">'
        f"{side('chosen', left.lines, right.lines, rows, names[0])}"
        f"{side('rejected', left.lines, right.lines, rows, names[1])}</div></div>"
    )


def verdict(chosen: str, rejected: str, left: Shown, right: Shown) -> str:
    if chosen == rejected:
        return "identical"
    where = "as far as shown, " if left.note or right.note else ""
    return where + difference(left.source, right.source)


def difference(left: Source, right: Source) -> str:
    """How far two programs are apart, in words."""
    if left.text == right.text:
        return "identical"
    if left.code == right.code:
        spelt = [[t.text for t in each.tokens if is_code(t)] for each in (left, right)]
        if left.kind != "sql" or spelt[0] == spelt[1]:
            return "differ in whitespace or comments only"
        return "differ in whitespace, comments, the case of keywords or a closing semicolon only"
    if is_same_tree(left, right):
        return "differ in formatting only: quotes, brackets or line breaks that mean nothing"
    words = [{t.text for t in each.tokens if t.type in WORDS} for each in (left, right)]
    if words[0].isdisjoint(words[1]):
        return "nothing in common"
    apart = distance(left.code, right.code)
    noun = "token" if apart == 1 else "tokens"
    return f"differ in {count(apart)} {noun} of {count(max(len(left.code), len(right.code)))}"


def notes(left: Shown, right: Shown, names: tuple[str, str]) -> str:
    return "".join(
        f'<p class="note">Only {each.note} of {name} are shown and compared.</p>'
        for name, each in zip(names, (left, right), strict=True)
        if each.note
    )


def aligned(left: Sequence[Line], right: Sequence[Line]) -> Iterator[Row]:
    """Equal lines face each other; between them, those that resemble each other most."""
    texts = [["".join(token.text for token in line) for line in side] for side in (left, right)]
    start = (0, 0)
    for change in changes(texts[0], texts[1], replaces=False):
        if change.is_equal:
            (i, to_i), (j, to_j) = ((part.start, part.stop) for part in (change.left, change.right))
            yield from _gap(left, right, start, (i, j))
            yield from (Row(i + n, j + n, "equal") for n in range(to_i - i))
            start = (to_i, to_j)
    yield from _gap(left, right, start, (len(left), len(right)))


def _gap(
    left: Sequence[Line], right: Sequence[Line], start: tuple[int, int], end: tuple[int, int]
) -> Iterator[Row]:
    (i, j), (to_i, to_j) = start, end
    for a, b in matched(left[i:to_i], right[j:to_j]):
        if a is None or b is None:
            yield Row(None if a is None else i + a, None if b is None else j + b, "only")
        else:
            codes = [[t.text for t in line if is_code(t)] for line in (left[i + a], right[j + b])]
            yield Row(i + a, j + b, "spacing" if codes[0] == codes[1] else "changed")


def matched(left: Sequence[Line], right: Sequence[Line]) -> Iterator[tuple[int | None, int | None]]:
    """The cheapest way to pair lines without crossing: an edit distance of lines."""
    num, other = len(left), len(right)
    if not num or not other or num == other == 1 or num * other > MAX_MATCHED:
        for place in range(max(num, other)):
            yield (place if place < num else None, place if place < other else None)
        return
    # cost[a][b]: of what is left from line a and line b on.
    cost = [[ALONE * (num - a + other - b) for b in range(other + 1)] for a in range(num + 1)]
    apart = [[0.9 * unlikeness(one, two) for two in right] for one in left]
    for a in reversed(range(num)):
        for b in reversed(range(other)):
            alone = ALONE + min(cost[a + 1][b], cost[a][b + 1])
            cost[a][b] = min(alone, apart[a][b] + cost[a + 1][b + 1])
    a = b = 0
    while a < num or b < other:
        if a < num and b < other and cost[a][b] == apart[a][b] + cost[a + 1][b + 1]:
            yield a, b
            a, b = a + 1, b + 1
        elif a < num and (b == other or cost[a][b] == ALONE + cost[a + 1][b]):
            yield a, None
            a += 1
        else:
            yield None, b
            b += 1


def unlikeness(left: Line, right: Line) -> float:
    """0 for the same tokens but for space, 1 for none in common."""
    texts = ([t.text for t in line if t.type != "space"] for line in (left, right))
    return Levenshtein.normalized_distance(*numbered(*texts))


def folded(rows: Sequence[Row]) -> list[Row]:
    """Long stretches of equal lines folded, but for those next to a difference."""
    if all(row.state == "equal" for row in rows):
        return list(rows)
    found: list[Row] = []
    for is_equal, group in groupby(rows, key=lambda row: row.state == "equal"):
        stretch = list(group)
        first = CONTEXT if found else 0
        last = len(stretch) - (CONTEXT if len(found) + len(stretch) < len(rows) else 0)
        if is_equal and last - first >= LEAST_FOLDED:
            stretch[first:last] = [
                Row(row.left, row.right, row.state, is_folded=True) for row in stretch[first:last]
            ]
        found += stretch
    return found


def side(
    name: str, left: Sequence[Line], right: Sequence[Line], rows: Sequence[Row], label: str
) -> str:
    """One program, readable alone; `grid-row` puts its lines beside the other's."""
    html = [f'<h4 style="grid-row:1">{text(label)}</h4>']
    for place, row in enumerate(rows):
        mine, lines = (row.left, left) if name == "chosen" else (row.right, right)
        if mine is None:
            continue
        if row.is_folded and not rows[place - 1 if place else -1].is_folded:
            html.append(_fold(rows[place:], 2 * place + 2))
        line = lines[mine]
        if row.state == "equal":
            inner = highlighted(line)
        elif row.left is None or row.right is None:
            inner = _whole(line, name)
        else:
            inner = marked(left[row.left], right[row.right], name)
        state = f"{row.state} folded" if row.is_folded else row.state
        html.append(line_html(mine + 1, inner, state, 2 * place + 3))
    return f'<section class="side {name}" aria-label="{text(label)}">{"".join(html)}</section>'


def _fold(rows: Sequence[Row], grid_row: int) -> str:
    number = next((n for n, row in enumerate(rows) if not row.is_folded), len(rows))
    return f'<div class="fold" style="grid-row:{grid_row}">{count(number)} equal lines</div>'


def marked(left: Line, right: Line, name: str) -> str:
    """One of two lines that face each other, its own tokens in <del> or <ins>."""
    line = left if name == "chosen" else right
    if unlikeness(left, right) > UNLIKE:
        return _whole(line, name)
    html = []
    for change in changes([t.text for t in left], [t.text for t in right]):
        part = line[change.left if name == "chosen" else change.right]
        html.append(highlighted(part) if change.is_equal else _mark(part, name))
    return "".join(html)


def _whole(line: Line, name: str) -> str:
    """Marked as one, but for the indent."""
    first = 1 if line and line[0].type == "space" else 0
    return highlighted(line[:first]) + _mark(line[first:], name)


def _mark(tokens: Sequence[Token], name: str) -> str:
    if not tokens:
        return ""
    element = "ins" if name == "chosen" else "del"  # what is right, and what is wrong
    quiet = "" if any(map(is_code, tokens)) else ' class="quiet"'
    return f"<{element}{quiet}>{highlighted(tokens)}</{element}>"
