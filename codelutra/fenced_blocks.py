"""Fenced blocks of Markdown, as models write them; knows no language."""

import re
from typing import NamedTuple

# Behind the marks: python, {.python}, python title="x"
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})\s*([{.]*([\w+#-]*).*)", re.DOTALL)
DEEPEST = 3  # spaces before a fence; Markdown takes a deeper one as text
MAX_BLOCKS = 1000  # no answer has more, and reading them would take its time


class Block(NamedTuple):
    word: str  # the language it names, in lower case
    text: str
    line: int  # of its opening fence, from 0
    is_closed: bool


class _Fence(NamedTuple):
    depth: int
    marks: str
    info: str  # what stands behind the marks
    word: str
    line: int

    @property
    def is_plain(self) -> bool:
        """Is nothing of a block in its own line?"""
        return self.marks[0] == "~" or "`" not in self.info

    def ends(self, opening: "_Fence") -> bool:
        # A deeper one is text: Python's docstrings hold some.
        is_alike = self.marks.startswith(opening.marks) and self.depth <= opening.depth + DEEPEST
        return is_alike and self.is_plain

    def block(self, lines: list[str], is_closed: bool) -> Block:
        """`lines` without as much of the space before them as the fence has."""
        text = "\n".join(line[: self.depth].lstrip(" \t") + line[self.depth :] for line in lines)
        return Block(self.word.lower(), text, self.line, is_closed)


def fenced_blocks(text: str, deepest: int | None = None) -> list[Block]:
    """The first MAX_BLOCKS. Fences with more than `deepest` spaces before them open none.

    No limit takes them at any depth: a block may belong to an item of a list.
    """
    blocks: list[Block] = []
    opening: _Fence | None = None
    body: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if len(blocks) == MAX_BLOCKS:
            return blocks
        found = _FENCE.match(line)
        fence = None
        if found:
            indent, marks, info, word = found.groups()
            fence = _Fence(len(indent), marks, info.rstrip(), word, number)
        if opening is None:
            if fence and (deepest is None or fence.depth <= deepest):
                if fence.is_plain:
                    opening, body = fence, []
                elif block := _in_one_line(fence):
                    blocks.append(block)
        elif fence and fence.ends(opening):
            # One that names a language opens the next block: nothing closed this one.
            blocks.append(opening.block(body, is_closed=not fence.info))
            opening, body = (fence, []) if fence.info else (None, [])
        elif fence is None and _ends_in(line, opening.marks):
            body.append(line.rstrip().removesuffix(opening.marks))
            blocks.append(opening.block(body, is_closed=True))
            opening = None
        else:
            body.append(line)
    if opening:
        blocks.append(opening.block(body, is_closed=False))
    return blocks


def _in_one_line(fence: _Fence) -> Block | None:
    """```sql SELECT 1```; None for a code span with text behind it."""
    if not fence.info.endswith(fence.marks):
        return None
    word, _, code = fence.info.removesuffix(fence.marks).strip().partition(" ")
    return Block(word.lower(), code, fence.line, is_closed=True)


def _ends_in(line: str, marks: str) -> bool:
    """Does a block end behind its last line of code?"""
    line = line.rstrip()
    return marks[0] == "`" and line.endswith(marks) and line.count(marks) == 1
