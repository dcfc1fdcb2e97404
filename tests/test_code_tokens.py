"""Which programs are the same code, and how many tokens the others are apart."""

import re
from itertools import product
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codelutra.code_tokens import Source, distance, edit_distance, num_tokens, same_code, tokenize
from codelutra.languages import LANGUAGES

KINDS = sorted((*LANGUAGES, "cobol"))
# What opens something, and is never closed when it is repeated.
ATOMS = (
    *("'", '"', "'''", '"""', "`", "\\", "/", "/*", "*/", "//", "--", "#", "(", "[", "{", "}"),
    *("${", "f'{", "\n", " ", "\r", "\t", "a", "1", ".", "0x", "1e", "$", "<!--", "]", "=/", "é"),
    *("\\\n", "\0", "\u2028", "\ud800"),
)
PIECES = st.sampled_from((*ATOMS, "select ", "if", ":", "return", "+", "é", "  "))
PROGRAMS = st.lists(PIECES).map("".join) | st.text()

SAME = [
    ("sql", "SELECT a FROM t", "select a\n  from t;"),
    ("sql", "SELECT COUNT(*) FROM t -- all", "/* x */ select count(*) FROM t ; ;"),
    ("sql", "SELECT 'a''b' WHERE x>=-1", "SELECT 'a''b' WHERE x >= - 1"),
    ("python", "x = f(1)  # one\n", "x=f( 1 )"),
    ("python", "x = 'a'", 'x = ("a")'),
    ("python", "x = [1, 2]", "x = [\n    1,\n    2,\n]"),
    ("python", "if a:\n    b()\n    c()", "if a:\n  b()\n\n  # then\n  c()\n"),
    ("python", "if a:\n\tb", "if a:\n        b"),
    ("python", "x = 1 + \\\n  2", "x = 1 + 2"),
    ("python", "def f(:\n    x", "def f( :\n  x"),  # neither can be parsed
    ("javascript", "f(a, b); // x", "f(\n  a,\n  b\n);"),
    ("javascript", "if (a) { b() } else { c() }", "if (a) {b()}\nelse {\n c()\n}"),
]
NOT_SAME = [
    ("sql", "SELECT a", "SELECT A"),
    ("sql", "SELECT 'a'", "SELECT 'A'"),
    ("sql", "SELECT 'a  b'", "SELECT 'a b'"),
    ("sql", "a <= b", "a < = b"),
    ("sql", "SELECT 1e5", "SELECT 1 e5"),
    ("sql", "SELECT x'ab'", "SELECT x 'ab'"),
    ("sql", "SELECT '--' , 1", "SELECT '-- , 1'"),
    ("sql", "/* /* */ SELECT 1", "/* /* */ SELECT 2"),  # SQLite's comments do not nest
    ("sql", "SELECT 1", "SELECT\u00a01"),
    ("python", "if a:\n  b()\nc()", "if a:\n  b()\n  c()"),
    ("python", "if a:\n  b(\nc()", "if a:\n  b(\n  c())"),
    ("python", "x = 1\ny", "x = 1 y"),
    ("python", 'def f():\n  "doc"\n  return 1', "def f():\n  return 1"),
    ("python", "x = 'a b'", "x = 'a  b'"),
    ("python", "Return 1 +", "return 1 +"),
    ("javascript", "return\nx", "return x"),
    ("javascript", "a\n++b", "a++\nb"),
    ("javascript", "x = `a ${b} c`", "x = `a ${b}  c`"),
    ("javascript", "x = `a ${f(`b c`)}`", "x = `a ${f(`b  c`)}`"),
    ("javascript", "x = /a b/.test(y)", "x = /a  b/.test(y)"),
]


@pytest.mark.parametrize(("kind", "left", "right"), SAME)
def test_space_comments_and_formatting_are_no_code(kind: str, left: str, right: str) -> None:
    assert same_code(left, right, kind)
    assert same_code(right, left, kind)


@pytest.mark.parametrize(("kind", "left", "right"), NOT_SAME)
def test_what_a_language_tells_apart_is_not_the_same(kind: str, left: str, right: str) -> None:
    assert not same_code(left, right, kind)
    assert edit_distance(left, right, kind) > 0


def test_types_are_the_ones_that_a_person_sees() -> None:
    types = {t.text: t.type for t in tokenize("SELECT a, 'b' FROM t -- c\nWHERE x > 1.5e-3", "sql")}
    wanted = {"SELECT": "keyword", "a": "name", "'b'": "string", "-- c": "comment", ">": "operator"}
    assert wanted.items() <= types.items()
    assert types["1.5e-3"] == "number"


def test_code_inside_a_template_is_code() -> None:
    tokens = tokenize("`a ${f({b: `c ${d}`})} e` / 2", "javascript")
    assert [t.text for t in tokens if t.type == "string"] == ["`a ${", "`c ${", "}`", "} e`"]
    assert [t.text for t in tokens if t.type == "name"] == ["f", "b", "d"]


@pytest.mark.parametrize(
    ("program", "kind", "first"),
    [
        ("'''a'b\\''' ''' + c", "python", "'''a'b\\''' '''"),
        ('"""a""b""" + c', "python", '"""a""b"""'),
        ("'''a''b", "python", "'''a''b"),
        ("/* a * b **/ c", "javascript", "/* a * b **/"),
        ("/* a * b **/ c", "sql", "/* a * b **/"),
    ],
)
def test_a_text_ends_where_it_ends(program: str, kind: str, first: str) -> None:
    assert tokenize(program, kind)[0].text == first


def test_no_group_is_repeated_by_a_possessive_quantifier() -> None:
    """Python before 3.11.5 loses its match (gh-106052): `(?>(?:...)*)` instead."""
    sources = {
        path: path.read_text() for path in (Path(__file__).parents[1] / "codelutra").rglob("*.py")
    }
    assert len(sources) > 50
    assert not [path for path, text in sources.items() if re.search(r"\)[*+?]\+[^ ]", text)]


def test_distances_are_in_tokens() -> None:
    assert edit_distance("SELECT a FROM t WHERE b > 1", "SELECT a FROM t WHERE b >= 10", "sql") == 2
    assert edit_distance("SELECT a", "SELECT DISTINCT a", "sql") == 1
    assert edit_distance("a b c d", "e f g h", "sql") == 4
    assert edit_distance("a b c d", "e f g h", "sql", limit=2) == 3
    assert num_tokens("SELECT a, b -- all", "sql") == 4
    assert num_tokens("if a:\n  b", "python") == 6  # a line end and an indent


def test_texts_of_one_hash_are_told_apart() -> None:
    class Text(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 1

    assert distance([Text("a")], [Text("b")]) == 1


@given(PROGRAMS, st.sampled_from(KINDS))
def test_tokens_add_up_to_the_program(program: str, kind: str) -> None:
    tokens = tokenize(program, kind)
    assert "".join(token.text for token in tokens) == program
    assert all(token.text for token in tokens)


@given(PROGRAMS, PROGRAMS, st.sampled_from(KINDS))
def test_same_code_is_no_distance_whatever_is_written(left: str, right: str, kind: str) -> None:
    assert same_code(left, left, kind)
    assert same_code(left, right, kind) == same_code(right, left, kind)
    assert edit_distance(left, right, kind) == edit_distance(right, left, kind)
    if not edit_distance(left, right, kind):
        assert same_code(left, right, kind)


@pytest.mark.parametrize(
    "program",
    ["-" * 9_000 + "1", "(" * 9_000, "1+" * 9_000 + "1", "a." * 9_000 + "a", "x = '\\d'", "\0"],
    ids=lambda program: program[:8],
)
def test_what_breaks_a_parser_is_compared_by_its_tokens(program: str) -> None:
    assert same_code(program, f"{program} # c", "python")
    assert not same_code(program, f"({program})\n1", "python")


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_costs_more_than_its_length(kind: str) -> None:
    """16 times as long may cost 64 times as much, which is noise: a square would be 256."""
    short, long = 200, 3_200
    for unit in map("".join, product(ATOMS, (*ATOMS[:6], "\n", "a"))):
        floor = 32 * (seconds(kind, "a = 1 ", short) + seconds(kind, unit, short))
        assert any(seconds(kind, unit, long) < floor for _ in range(5)), unit


def seconds(kind: str, unit: str, size: int) -> float:
    program = (unit * size)[:size]
    start = process_time()
    _ = Source(program, kind).code
    return process_time() - start
