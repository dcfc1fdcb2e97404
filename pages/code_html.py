"""Programs as HTML: highlighted lines in which everything a model wrote is visible text."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from codelutra.code_tokens import Source, Token
from pages.format import count, text

MAX_CHARACTERS, MAX_LINES = 20_000, 1_000  # shown, and compared, of a program
COLOURED = frozenset({"keyword", "string", "number", "comment", "name", "operator"})
# Seen as nothing, though they are letters, marks or symbols to Unicode: fillers, a blank Braille
# cell, what chooses a glyph.
UNSEEN = frozenset((0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0))
SELECTORS = frozenset((*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))

Line = list[Token]


@dataclass(frozen=True)
class Shown:
    """What is shown of a program; `note` says how much of it, '' for all."""

    source: Source
    note: str
    lines: list[Line]


def shown(program: str, kind: str) -> Shown:
    kept, note = program, ""
    if len(kept) > MAX_CHARACTERS:
        kept = kept[:MAX_CHARACTERS]
        note = f"the first {count(MAX_CHARACTERS)} of {count(len(program))} characters"
    if _num_lines(kept) > MAX_LINES:
        kept = "\n".join(kept.split("\n", MAX_LINES)[:MAX_LINES])
        note = f"the first {count(MAX_LINES)} of {count(_num_lines(program))} lines"
    source = Source(kept, kind)
    return Shown(source, note, list(lines_of(source.tokens)))


def _num_lines(program: str) -> int:
    return program.count("\n") + (not program.endswith("\n"))


def lines_of(tokens: Sequence[Token]) -> Iterator[Line]:
    """Tokens a line, those of several lines in parts; a last line end begins no line."""
    line: Line = []
    for token in tokens:
        if "\n" not in token.text:
            line.append(token)
            continue
        first, *more = token.text.split("\n")
        if first:
            line.append(Token(token.type, first))
        for part in more:
            yield line
            line = [Token(token.type, part)] if part else []
    if line or not tokens or not tokens[-1].text.endswith("\n"):
        yield line


def plain(program: str, kind: str) -> str:
    """One program with its line numbers."""
    found = shown(program, kind)
    lines = "".join(
        line_html(number, highlighted(line)) for number, line in enumerate(found.lines, 1)
    )
    note = f'<p class="note">Only {found.note} are shown.</p>' if found.note else ""
    return f'{note}<div class="program">{lines}</div>'


def line_html(number: int, inner: str, state: str = "", row: int = 0) -> str:
    """Each line by itself: no character in it changes the order of what is around."""
    place = f' style="grid-row:{row}"' if row else ""
    name = f"ln {state}".rstrip()
    return (
        f'<div class="{name}" data-n="{number}"{place}><code><bdi dir="ltr">{inner}</bdi></code>'
        "</div>"
    )


def highlighted(tokens: Iterable[Token]) -> str:
    return "".join(
        f'<span class="t-{kind}">{visible(part)}</span>' if kind in COLOURED else visible(part)
        for kind, part in tokens
    )


def visible(part: str) -> str:
    """Escaped, with a sign for each character that would not be seen or that moves others."""
    if part.isalnum() and part.isascii():
        return part
    escaped = text(part)
    return escaped if part.isascii() and part.isprintable() else escaped.translate(SIGNS)


def sign(character: str) -> str:
    """What stands for a character; the character itself where it can be shown."""
    code, category = ord(character), unicodedata.category(character)
    if character == "\t":
        return character
    if code < 0x20 or code == 0x7F:
        return chr(0x2421 if code == 0x7F else 0x2400 + code)
    is_odd = category[0] == "C" or category in ("Zl", "Zp") or (category == "Zs" and code != 0x20)
    return f"⟨U+{code:04X}⟩" if is_odd or code in UNSEEN or code in SELECTORS else character


class _Signs(dict[int, str]):
    """As `str.translate` asks for them, each worked out once."""

    def __missing__(self, code: int) -> str:
        character, shown_as = chr(code), sign(chr(code))
        odd = shown_as != character
        html = f'<i class="odd" title="U+{code:04X}">{shown_as}</i>'  # not all fonts have ␛
        self[code] = html if odd else character
        return self[code]


SIGNS = _Signs()
