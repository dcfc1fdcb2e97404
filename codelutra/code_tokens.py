"""Programs as tokens: whether two are the same code, and by how many tokens they differ.

Python programs have their line ends and indents as tokens, JavaScript ones the line breaks that
may end a statement; space and comments are no code. Never raises, whatever a model wrote.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from rapidfuzz.distance import Indel, Levenshtein

from codelutra.code_syntax import PLAIN, REGEX, SYNTAX, TEMPLATE, Syntax

TokenType = Literal["space", "comment", "keyword", "name", "string", "number", "operator", "text"]
Code = tuple[str, ...]  # the tokens of a program that count, spelt one way

LINE, INDENT, DEDENT = "\n", "\t", " "  # as tokens of a Code; no other one is only space
MAX_PARSED = 20_000  # characters of a program that Python's own parser is asked about
VALUE_KEYWORDS = frozenset({"this", "super", "null", "true", "false", "undefined"})
# JavaScript: behind or before these, a line break ends no statement.
GOES_ON_AFTER = "{ ( [ , ; : ? ?. . = => + - * / % & | ^ < > ! ~ && || ?? == ==="
GOES_ON_BEFORE = ") ] } , ; . ?. : ? = + - * / % & | ^ < > && || ?? == === else catch finally"
ENDED_BY_LINE = "return throw break continue yield async"
GOING_ON = frozenset(GOES_ON_AFTER.split()), frozenset(GOES_ON_BEFORE.split())
RESTRICTED = frozenset(ENDED_BY_LINE.split())
BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class Token(NamedTuple):
    type: TokenType
    text: str


def tokenize(program: str, kind: str) -> list[Token]:
    """All of `program`, space and comments too: the texts add up to it."""
    syntax = SYNTAX.get(kind, PLAIN)
    return list(_templated(program, syntax) if syntax.has_templates else _plain(program, syntax))


class Change(NamedTuple):
    """A stretch of both sides that is equal, or that is not; one part may be empty."""

    is_equal: bool
    left: slice
    right: slice


@dataclass(frozen=True)
class Source:
    """A program that is compared, perhaps often: cut into tokens once."""

    text: str
    kind: str

    @cached_property
    def tokens(self) -> list[Token]:
        return tokenize(self.text, self.kind)

    @cached_property
    def code(self) -> Code:
        return _code(self.tokens, self.kind)

    @cached_property
    def words(self) -> list[str]:
        return [token.text for token in self.tokens if token.type in ("name", "keyword")]


def _code(tokens: Sequence[Token], kind: str) -> Code:
    match kind:
        case "python":
            return tuple(_python_code(tokens))
        case "sql":
            return _sql_code(tokens)
        case "javascript":
            return tuple(_javascript_code(tokens))
    return tuple(token.text for token in tokens if is_code(token))


def is_code(token: Token) -> bool:
    return token.type not in ("space", "comment")


def num_tokens(program: str, kind: str) -> int:
    return len(Source(program, kind).code)


def same_code(left: str, right: str, kind: str) -> bool:
    """Equal but for space, comments and formatting.

    Python: also quotes, brackets and line breaks that mean nothing, as its parser sees it.
    SQL: also the case of keywords and functions, and closing semicolons.
    """
    return is_same(Source(left, kind), Source(right, kind))


def is_same(left: Source, right: Source) -> bool:
    return left.code == right.code or is_same_tree(left, right)


def is_same_tree(left: Source, right: Source) -> bool:
    """Does the parser of the language see the same in both? Of Python alone; else False."""
    if left.kind != "python" or left.words != right.words:
        return False  # no formatting changes a word: most pairs need no parser
    tree = _parsed(left.text)
    return tree is not None and tree == _parsed(right.text)


def edit_distance(left: str, right: str, kind: str, limit: int | None = None) -> int:
    """Tokens to insert, delete or replace; `limit` + 1 for all that is more than `limit`."""
    return distance(Source(left, kind).code, Source(right, kind).code, limit)


def distance(left: Sequence[str], right: Sequence[str], limit: int | None = None) -> int:
    return Levenshtein.distance(*numbered(left, right), score_cutoff=limit)


def changes(left: Sequence[str], right: Sequence[str], replaces: bool = True) -> Iterator[Change]:
    """How `left` becomes `right`; without `replaces` as much as can be stays equal."""
    metric = Levenshtein if replaces else Indel
    for step in metric.opcodes(*numbered(left, right)):
        left_part = slice(step.src_start, step.src_end)
        yield Change(step.tag == "equal", left_part, slice(step.dest_start, step.dest_end))


def numbered(left: Sequence[str], right: Sequence[str]) -> tuple[list[int], list[int]]:
    """A number for each text: rapidfuzz takes texts of one hash for equal."""
    ids: dict[str, int] = {}
    a, b = ([ids.setdefault(text, len(ids)) for text in side] for side in (left, right))
    return a, b


def _plain(program: str, syntax: Syntax) -> Iterator[Token]:
    return (_token(found, syntax) for found in syntax.pattern.finditer(program))


def _token(found: re.Match[str], syntax: Syntax) -> Token:
    kind, text = found.lastgroup, found.group()
    is_keyword = kind == "name" and syntax.is_keyword(text)
    return Token("keyword" if is_keyword else kind, text)  # type: ignore[arg-type]


def _templated(program: str, syntax: Syntax) -> Iterator[Token]:
    """JavaScript: code inside a template's ${} is code, and a slash may open a pattern."""
    place, before = 0, Token("operator", "")
    depths: list[int] = []  # braces open inside each ${} that is open
    while place < len(program):
        found = syntax.pattern.match(program, place)
        assert found is not None  # it takes any character
        token = _token(found, syntax)
        if token.text == "`" or (token.text == "}" and depths and not depths[-1]):
            string = TEMPLATE.match(program, place)
            token = Token("string", string.group() if string else token.text)
            if program[place] == "}":
                depths.pop()
            if token.text.endswith("${"):
                depths.append(0)
        elif token.text in ("/", "/=") and not _is_value(before):
            string = REGEX.match(program, place)
            token = Token("string", string.group()) if string else token
        elif depths and token.text in ("{", "}"):
            depths[-1] += 1 if token.text == "{" else -1
        place += len(token.text)
        before = token if is_code(token) else before
        yield token


def _is_value(token: Token) -> bool:
    """Could it be divided? A closing bracket could, though the one of an `if` could not."""
    if token.type == "operator":
        return token.text in (")", "]", "}", "++", "--")
    return token.type != "keyword" or token.text in VALUE_KEYWORDS


def _sql_code(tokens: Sequence[Token]) -> Code:
    code: list[str] = []
    kept = [token for token in tokens if is_code(token)]
    while kept and kept[-1].text == ";":
        kept.pop()
    for number, token in enumerate(kept):
        is_call = token.type == "name" and kept[number + 1 : number + 2] == [_OPEN]
        code.append(token.text.upper() if is_call or token.type == "keyword" else token.text)
    return tuple(code)


_OPEN = Token("operator", "(")


def _python_code(tokens: Sequence[Token]) -> Iterator[str]:
    """With LINE between logical lines, INDENT and DEDENT where Python's tokenizer has them."""
    brackets, width, indents = 0, 0, [0]
    starts_line, is_first, is_joined = True, True, False
    for number, token in enumerate(tokens):
        if token.type == "space":
            end = max(map(token.text.rfind, "\r\n"))
            if (end >= 0 and not brackets and not is_joined) or number == 0:
                starts_line, width = True, len(token.text[end + 1 :].expandtabs(8))
            is_joined = False
        elif token.text == "\\" and tokens[number + 1 : number + 2]:
            is_joined = tokens[number + 1].text.startswith(("\r", "\n"))
        elif token.type != "comment":
            if starts_line:
                yield from _line_start(width, indents, is_first)
            starts_line = is_first = False
            brackets = max(0, brackets + BRACKETS.get(token.text, 0))
            yield token.text


def _line_start(width: int, indents: list[int], is_first: bool) -> Iterator[str]:
    if not is_first:
        yield LINE
    while width < indents[-1]:
        indents.pop()
        yield DEDENT
    if width > indents[-1]:
        indents.append(width)
        yield INDENT


def _javascript_code(tokens: Sequence[Token]) -> Iterator[str]:
    """With LINE for line breaks that may end a statement; unsure ones count as if they did."""
    before, is_broken = "", False
    for token in tokens:
        if not is_code(token):
            is_broken |= any(end in token.text for end in "\r\n")
            continue
        goes_on = before in GOING_ON[0] or (before not in RESTRICTED and token.text in GOING_ON[1])
        if is_broken and before and not goes_on:
            yield LINE
        yield token.text
        before, is_broken = token.text, False


def _parsed(program: str) -> str | None:
    """The syntax tree as Python sees it, docstrings too; None where there is none."""
    if len(program) > MAX_PARSED:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # odd escapes are their author's affair
            return ast.dump(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
