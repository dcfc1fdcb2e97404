"""From completions to programs. What is broken stays broken, and hostile text costs no time."""

import time
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codelutra.chatter import without_chatter
from codelutra.languages.language import CommandLanguage
from codelutra.prompting import Extraction, extract_program, task_program
from codelutra.records import ExtractionRule
from codelutra.starter import starter_tasks
from codelutra.starter.corpus import examples
from codelutra.starter.sketch import TEMPLATES
from codelutra.tasks.task import Task

BARE, FENCED, UNCLOSED = ExtractionRule.BARE, ExtractionRule.FENCED, ExtractionRule.UNCLOSED_FENCE
BEFORE, CUT = ExtractionRule.BEFORE_FENCE, ExtractionRule.CHATTER_CUT
MEGABYTE = 1_000_000


def python(completion: str) -> str:
    return extract_program(completion, "python").program


def sql(completion: str) -> str:
    return extract_program(completion, "sql").program


# Bare text


def test_a_bare_completion_is_the_program() -> None:
    assert extract_program("\nSELECT 1;\n\n", "sql") == Extraction("SELECT 1;", BARE)


def test_indentation_of_the_first_line_is_kept() -> None:
    assert python("    x = 1\n    y = 2\n") == "    x = 1\n    y = 2"


def test_nothing_is_no_program() -> None:
    assert extract_program(" \n\n", "sql") == Extraction("", ExtractionRule.EMPTY)


def test_line_ends_and_zero_bytes_stay_as_they_are() -> None:
    assert python("x = 1\r\ny = '\0'\r\n") == "x = 1\r\ny = '\0'"
    assert python("  \nx = 1") == "  \nx = 1"


def before_there_were_rules(completion: str) -> str:
    """What the program of a completion without a fence has always been."""
    return completion.strip("\n").rstrip()


def test_the_starters_own_programs_right_or_broken_are_untouched(tmp_path: Path) -> None:
    corpus = list(islice(examples(7), 1500))
    assert any(one.erred for one in corpus)
    texts = [(one.completion, TEMPLATES[one.template].kind) for one in corpus]
    texts += [(task["gold"], task["kind"]) for task in starter_tasks(tmp_path)]
    for text, kind in texts:
        for end in (len(text), 2 * len(text) // 3):  # a token limit
            found = extract_program(text[:end], kind)
            assert found == Extraction(before_there_were_rules(text[:end]), BARE)


BEGINNINGS = [
    *(("sql", text) for text in ("SELECT ", "select\n", "WITH t AS (", "(SELECT ", "-- ", "/* ")),
    *(("python", text) for text in ("import x\n", "x = ", "df.a(", "def f(", "# ", '"""', "[")),
    *(("javascript", text) for text in ("const a", "let x = ", "f(", "// ", "if (", "import x;\n")),
]  # fmt: skip
PIECES = st.lists(
    st.sampled_from(
        ["\n", "\n\n", " ", "    ", "x", "= 1", "(", ")", "'", '"', "</think>", "<think>", "`", ";",
         "--", "If n is odd:", "Sure!", "\r\n", "\0", "SELECT", "a, b", "é", "~~", "``", "..."]
    )
    | st.text(max_size=5)
)  # fmt: skip


def has_fence(text: str) -> bool:
    return "```" in text or "~~~" in text


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(BEGINNINGS), PIECES)
def test_bare_text_that_begins_like_code_loses_nothing_but_prose_behind_an_empty_line(
    beginning: tuple[str, str], pieces: list[str]
) -> None:
    kind, begins = beginning
    text = begins + "".join(pieces)
    if has_fence(text):
        return
    whole, found = before_there_were_rules(text), extract_program(text, kind)
    assert not found.has_thought
    assert found.rule in (BARE, CUT)
    assert whole.startswith(found.program)
    lost = whole[len(found.program) :]
    assert not lost or lost.split("\n")[1].strip() == ""
    for line in filter(str.strip, lost.split("\n")):
        assert line.strip()[0].isupper()
        assert line.strip()[-1] in ".:!?"


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(BEGINNINGS), PIECES)
def test_bare_text_whose_last_line_is_no_sentence_is_the_program(
    beginning: tuple[str, str], pieces: list[str]
) -> None:
    kind, begins = beginning
    text = begins + "".join(pieces) + "\nx"
    if not has_fence(text):
        assert extract_program(text, kind) == Extraction(before_there_were_rules(text), BARE)


# Fences


def test_the_first_fenced_block_of_the_language_is_taken() -> None:
    text = "Sure:\n```bash\npip install x\n```\n```python\nresult = 1\n```\n```python\nno\n```"
    assert extract_program(text, "python") == Extraction("result = 1", FENCED)


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert extract_program("```sql\nSELECT 1", "sql") == Extraction("SELECT 1", UNCLOSED)


@pytest.mark.parametrize(
    "text", ["```python\nprint(1)\n```", "```sql\n\n```", "```bash\nls", "```sql", "```"]
)
def test_a_fence_in_another_language_or_an_empty_one_holds_no_program(text: str) -> None:
    assert extract_program(text, "sql") == Extraction("", ExtractionRule.OTHER_LANGUAGE)


@pytest.mark.parametrize(
    "opening",
    ["```python", "```Python", "``` py", "```py3", "```PYTHON3", '```python title="a.py"',
     "```{.python}", "```python:a.py", "```python3.11", "````python", "```", "```python\r"],
)  # fmt: skip
def test_a_fence_names_its_language_in_many_ways(opening: str) -> None:
    fence = opening[: len(opening) - len(opening.lstrip("`"))]
    assert extract_program(f"{opening}\nx = 1\n{fence}\n", "python").program == "x = 1"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("~~~sql\nSELECT 1\n~~~", "SELECT 1"),
        ("~~~\nSELECT '```'\n~~~~", "SELECT '```'"),
        ("1. So:\n   ```sql\n   SELECT 1\n     FROM t\n   ```\n2. Done", "SELECT 1\n  FROM t"),
        ("- So:\n\n      ```sql\n      SELECT 1\n      ```", "SELECT 1"),
        ("```sql\r\nSELECT 1\r\nFROM t\r\n```\r\nDone", "SELECT 1\r\nFROM t"),
        ("```sql\nSELECT 1```\nThis is it.", "SELECT 1"),
        ("```sql SELECT 1```", "SELECT 1"),
        ("```sql\nSELECT 1\n```sql\nSELECT 2\n```", "SELECT 1"),
        ("````md\n```sql\nSELECT 1\n```\n````\n```sql\nSELECT 2\n```", "SELECT 2"),
        ("```md\n```sql\nSELECT 1\n```\n```", "SELECT 1"),
        ("```sql\n\n```\n```sql\nSELECT 1\n```", "SELECT 1"),
        ("Use ```x``` here:\n```sql\nSELECT 1\n```", "SELECT 1"),
        ("Select the rows like this:\n```\nSELECT 1\n```", "SELECT 1"),
        ("Select the rows like this:\n```\nSELECT 1", "SELECT 1"),
    ],
)
def test_blocks_as_models_write_them(text: str, program: str) -> None:
    assert sql(text) == program


DOCSTRING = 'def f():\n    """So:\n\n    ```python\n    f()\n    ```\n    """\n    return 1'


def test_a_fence_in_a_docstring_is_a_part_of_the_program() -> None:
    assert extract_program(DOCSTRING, "python") == Extraction(DOCSTRING, BARE)
    assert python(f"Here:\n```python\n{DOCSTRING}\n```") == DOCSTRING


def test_backticks_within_a_line_are_no_fence() -> None:
    assert extract_program("x = '```'", "python") == Extraction("x = '```'", BARE)


@pytest.mark.parametrize(
    "tail",
    ["", "This is it.", "So it prints:\n```\n1\n```", "Or:\n```sql\nSELECT 2\n```", "```"],
)
def test_a_fence_that_the_prompt_opened_ends_the_program(tail: str) -> None:
    text = f"SELECT 1;\n```\n{tail}" if tail != "```" else "SELECT 1;\n```"
    assert extract_program(text, "sql") == Extraction("SELECT 1;", BEFORE)


# Talk


def test_prose_around_bare_code_is_left_out() -> None:
    text = "Sure! Here is the query:\n\nSELECT 1\nFROM t\n\nThis query counts.\nLet me know!"
    assert extract_program(text, "sql") == Extraction("SELECT 1\nFROM t", CUT)
    text = "Here's the code:\nimport math\n\nx = 1\n\nIf you need more, I'm here to help."
    assert extract_program(text, "python") == Extraction("import math\n\nx = 1", CUT)
    text = "Certainly!\r\n\r\nconst a = 1;\r\nf(a)\r\n\r\nIt prints it.\r\n"
    assert extract_program(text, "javascript") == Extraction("const a = 1;\r\nf(a)", CUT)


@pytest.mark.parametrize(
    "text",
    ["I cannot do that.", "I'm sorry, I can't help with this.", "Sure!\n\nThe table is empty.",
     "What is a doctor? It depends.", "  As an AI model, I do not know the answer. "],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["sql", "python", "javascript"])
def test_prose_alone_is_no_program(text: str, kind: str) -> None:
    assert extract_program(text, kind) == Extraction("", ExtractionRule.ONLY_PROSE)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sql", "SELECT name FROM city."),
        ("sql", "Select the names of all cities."),
        ("sql", "SELCT name FROM city"),
        ("sql", "Sure! Here is the query:\n\nSELCT name FROM city"),
        ("sql", "SELECT name FROM city\nThis query counts."),  # no empty line between
        ("sql", "SELECT name\n\nFROM city WHERE name."),
        ("sql", "SELECT (1\n\nExplanation: it is `1`."),
        ("sql", "FROM city that is large."),
        ("sql", "Hier ist die Abfrage\nSELECT 1"),
        ("python", "If n is odd:\n    x = 1"),
        ("python", "If n is odd:\nx = 1"),
        ("python", "x = 1\n\nIf n is odd:"),
        ("python", "Whle n is odd:\n    x = 1"),
        ("python", "Else:\nx = 1"),
        ("python", "x = 1\n\nDef f(x):"),
        ("python", "reslt == 1\n\nThis is it."),
        ("python", "result = df[df.a > 1.mean()"),
        ("python", "Return x."),
        ("sql", "SELECT 1\n\nFrom the city."),
        ("javascript", "consle.log(1"),
    ],
)  # fmt: skip
def test_in_doubt_and_with_a_slip_the_whole_text_is_the_program(kind: str, text: str) -> None:
    assert extract_program(text, kind) == Extraction(text, BARE)


def test_prose_inside_a_program_stays() -> None:
    text = 'x = """\nA story.\n\nThis is a long text.\n"""'
    assert extract_program(text, "python") == Extraction(text, BARE)


def test_a_language_that_says_nothing_of_its_programs_keeps_the_whole_text() -> None:
    text = "Sure! Here it is:\nprint 1"
    assert without_chatter(text, Unknown()) == text


class Unknown(CommandLanguage):
    kind = "unknown"


# Prefixes


def test_a_program_stands_behind_the_prefix_that_it_continues() -> None:
    task = Task(task_id="a", kind="python", prompt="p", gold="g", prefix="def f(x):\n")
    found = task_program("<think>\nx?\n</think>\n\n    return x", task)
    assert found == Extraction("def f(x):\n    return x", BARE, has_thought=True)
    assert task_program("```\ndef f(y): return y\n```", task).program == "def f(y): return y"
    assert (
        task_program("    return x\n```\nThat is all.", task).program == "def f(x):\n    return x"
    )
    assert task_program("I cannot do that.", task).program == ""


# Hostile text


@pytest.mark.parametrize(
    "unit",
    ["`", "```", "```\n", "```a\n", "~~~ ", " ", "\n", "\t\n", "<think>", "</think>", "x</think>\n",
     "<think></think>", "<think></think>\n ", "A", "a ", "a, ", "a.", "A a a.\n", "a,", "a-", "a: ",
     "a=", "(", "select ", "with a ", "update a ", "'", "\r\n", "\0", "If a b:\n", "   ```\n"],
    ids=repr,
)  # fmt: skip
def test_a_megabyte_of_anything_takes_less_than_a_second(unit: str) -> None:
    many = unit * (MEGABYTE // len(unit))
    texts = [(text, "python") for text in (many, f"x = 1{many}", f"A{many}#", f"<think>{many}")]
    for text, kind in [*texts, (many, "sql"), (f"with {many}", "sql"), (many, "javascript")]:
        start = time.process_time()
        extract_program(text, kind)
        assert time.process_time() - start < 1
