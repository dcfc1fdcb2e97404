"""A pair's two programs beside each other: every line as text, and where they differ."""

import re
from html.parser import HTMLParser
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.code_html import MAX_CHARACTERS, MAX_LINES, SIGNS
from pages.format import text
from pages.pair_diff import plain, side_by_side

KINDS = st.sampled_from(("sql", "python", "javascript"))
PIECES = ("<b>", "&amp;", "'", '"', "\n", " ", "x", "SELECT", "1", "/*", "--", "\u202e", "\0", "é")
PROGRAMS = st.lists(st.sampled_from(PIECES)).map("".join) | st.text()
VOID = {"input"}


class Reader(HTMLParser):
    """The text of each program line, by side; what is marked in it; every element's name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: dict[str, list[str]] = {"": []}
        self.marked: list[tuple[str, str]] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.side = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.open += [tag] if tag not in VOID else []
        if tag == "section":
            self.side = dict(attrs)["aria-label"] or ""
            self.lines[self.side] = []
        elif tag == "code":
            self.lines[self.side].append("")
        elif tag in ("del", "ins"):
            self.marked.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.lines[self.side][-1] += data
        if self.marked and self.marked[-1][0] in self.open:
            self.marked[-1] = (self.marked[-1][0], self.marked[-1][1] + data)


def says(left: str, right: str, kind: str = "sql") -> str:
    found = re.search(r'class="says">([^<]*)', side_by_side(left, right, kind))
    assert found
    return found[1].strip()


@given(PROGRAMS, PROGRAMS, KINDS)
def test_each_side_is_the_whole_program_whatever_it_says(left: str, right: str, kind: str) -> None:
    html = side_by_side(left, right, kind)
    html.encode()
    assert Reader(html).names <= {
        *("div", "p", "label", "input", "section", "h4", "code", "bdi", "span", "i", "del", "ins")
    }
    lines = Reader(html).lines
    for name, program in (("chosen", left), ("rejected", right)):
        wanted = [Reader(f"<code>{line}</code>").lines[""][0] for line in as_text(program)]
        assert lines[name] == wanted


def as_text(program: str) -> list[str]:
    return [text(line).translate(SIGNS) for line in program.removesuffix("\n").split("\n")]


@given(PROGRAMS, KINDS)
def test_one_program_alone_is_whole_too(program: str, kind: str) -> None:
    wanted = [Reader(f"<code>{line}</code>").lines[""][0] for line in as_text(program)]
    assert Reader(plain(program, kind)).lines[""] == wanted


def test_it_is_said_how_far_the_programs_are_apart() -> None:
    assert says("SELECT 1", "SELECT 1") == "identical"
    assert says("SELECT 1", "SELECT  1 -- one") == "differ in whitespace or comments only"
    assert "the case of keywords" in says("SELECT 1", "select 1;")
    assert says("x = 'a'", 'x = "a"', "python").startswith("differ in formatting only")
    assert says("SELECT a FROM t", "SELECT b FROM t") == "differ in 1 token of 4"
    assert says("SELECT a FROM t", "SELECT b FROM u") == "differ in 2 tokens of 4"
    assert says("SELECT (a)", "x + (y)") == "nothing in common"


def test_only_the_tokens_that_differ_are_marked() -> None:
    html = side_by_side("SELECT a\nFROM t WHERE b > 1", "SELECT a\nFROM t WHERE b >= 1", "sql")
    assert Reader(html).marked == [("ins", ">"), ("del", ">=")]
    assert html.count('class="ln equal"') == 2


def test_space_is_marked_quietly_and_the_line_says_so() -> None:
    html = side_by_side("if a:\n  b()", "if a:\n    b()", "python")
    assert html.count('class="ln spacing"') == 2
    assert '<ins class="quiet">  </ins>' in html


def test_lines_without_a_partner_stand_on_one_side_alone() -> None:
    html = side_by_side("a = 1\nc = 3", "a = 1\nb = 2\nc = 3", "python")
    assert html.count('class="ln only"') == 1
    assert Reader(html).marked == [("del", "b = 2")]
    rows = re.findall(r'class="ln (\w+)" data-n="(\d)" style="grid-row:(\d+)"', html)
    assert rows[1][2] == rows[4][2], "equal lines face each other"


def test_lines_that_resemble_each_other_face_each_other() -> None:
    left, right = "x = f(1)\nz = h(3)", "new = 0\nx = f(2)\nz = h(4)"
    assert Reader(side_by_side(left, right, "python")).marked == [
        *(("ins", "1"), ("ins", "3")),
        *(("del", "new = 0"), ("del", "2"), ("del", "4")),
    ]


def test_long_equal_stretches_are_folded_and_still_there() -> None:
    same = "".join(f"x{n} = {n}\n" for n in range(15))
    html = side_by_side(f"{same}a", f"{same}b", "python")
    assert html.count("12 equal lines</div>") == 2
    assert html.count('class="ln equal folded"') == 24
    assert "show all 12 equal lines" in html
    assert "folded" not in side_by_side(same, same, "python")


def test_markup_controls_and_reordering_characters_are_seen_as_text() -> None:
    evil = "<script>alert(1)</script>\x1b[31m\0\r\u202eabc\u2066\u200b\u061c\ufeff\u2028\ud800\xa0"
    for html in (plain(evil, "python"), side_by_side(evil, "x", "javascript")):
        assert "<script" not in html
        for sign in ("␛", "␀", "␍", *(f"⟨U+{n}⟩" for n in SHOWN.split())):
            assert sign in html
        assert not re.search("[\x00-\x08\r\x1b\u200b\u202a-\u202e\u2066-\u2069\ud800]", html)
        html.encode()


SHOWN = "202E 2066 200B 061C FEFF 2028 D800 00A0"


def test_what_is_too_long_is_cut_and_it_is_said() -> None:
    html = side_by_side("a" * 1_000_000, "SELECT 1", "sql")
    assert "Only the first 20,000 of 1,000,000 characters of chosen are shown" in html
    assert "as far as shown, nothing in common" in html
    html = plain("x\n" * 100_000, "python")
    assert "first 20,000 of 200,000 characters" in html or "first 1,000 of 100,000 lines" in html
    assert len(Reader(html).lines[""]) == MAX_LINES
    same = "a" * MAX_CHARACTERS
    assert says(f"{same}b", f"{same}c") == "as far as shown, identical"


HOSTILE = {
    "a" * 1_000_000: "sql",
    "a b " * 250_000: "sql",
    "x\n" * 100_000: "python",
    " \n" * 500_000: "python",
    "'" * 1_000_000: "sql",
    "`${" * 300_000: "javascript",
    "\0" * 1_000_000: "python",
}


@pytest.mark.parametrize(("program", "kind"), HOSTILE.items(), ids=lambda value: repr(value[:6]))
def test_a_megabyte_costs_what_its_beginning_does(program: str, kind: str) -> None:
    def seconds(left: str) -> float:
        start = process_time()
        side_by_side(left, "SELECT 'a' " + left, kind)
        return process_time() - start

    beginning = program[: 2 * MAX_CHARACTERS]
    short = seconds(beginning)
    assert any(seconds(program) < 3 * short for _ in range(3))
