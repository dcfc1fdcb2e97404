"""What a model thinks before it answers is no program, and a program may speak of thoughts."""

import pytest

from codelutra.prompting import Extraction, extract_program
from codelutra.records import ExtractionRule

BARE, FENCED = ExtractionRule.BARE, ExtractionRule.FENCED
DRAFT = "Okay, let me see.\n```python\nx = 0\n```\nNo, df.x is better.\n"


@pytest.mark.parametrize(
    "text",
    [f"<think>{DRAFT}</think>\nx = 1", f"\n<thinking>\n{DRAFT}</thinking>\n\nx = 1",
     f"{DRAFT}</think>\n\nx = 1", "<THINK>a</THINK><think>b</think> x = 1", "</think>x = 1",
     "<think>\n\n</think>\n\nx = 1", "Okay, x it is.</think>\nx = 1",
     "We begin:\n```python\nx = 0\n</think>\nx = 1"],
)  # fmt: skip
def test_a_thought_is_left_out_with_its_drafts(text: str) -> None:
    assert extract_program(text, "python") == Extraction("x = 1", BARE, has_thought=True)


def test_what_follows_a_thought_is_read_as_ever() -> None:
    found = extract_program(f"<think>{DRAFT}</think>\nSo:\n```python\nx = 1\n```", "python")
    assert found == Extraction("x = 1", FENCED, has_thought=True)
    assert found.words == "thought fenced"
    assert extract_program("<think>a</think>\n", "sql").words == "thought empty"
    assert extract_program("x = 1", "python").words == "bare"


def test_a_thought_that_never_ends_leaves_no_program() -> None:
    for text in (f"<think>{DRAFT}", "<think>a</think><think>\n```python\nx = 1\n```"):
        assert extract_program(text, "python") == Extraction("", ExtractionRule.ENDLESS_THOUGHT)


@pytest.mark.parametrize(
    "text",
    ["x = '<think>'", "x = '</think>'", "def f(text):\n    return text.split('</think>')[-1]",
     'x = """\n<think>\na\n</think>\n"""', "# <think> is a tag\nx = 1", "[x for x in '</think>']"],
)  # fmt: skip
def test_a_program_that_speaks_of_thoughts_is_whole(text: str) -> None:
    assert extract_program(text, "python") == Extraction(text, BARE)
    if "\n</think>" not in text:  # on a line of its own it ends a thought with an open draft
        found = extract_program(f"So:\n```python\n{text}\n```", "python")
        assert found == Extraction(text, FENCED)
