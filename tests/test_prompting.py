from codelutra.prompting import extract_program


def test_a_bare_completion_is_the_program() -> None:
    assert extract_program("\nSELECT 1;\n\n", "sql") == "SELECT 1;"


def test_indentation_of_the_first_line_is_kept() -> None:
    assert extract_program("    x = 1\n    y = 2\n", "python") == "    x = 1\n    y = 2"


def test_the_first_fenced_block_of_the_language_is_taken() -> None:
    text = "Sure:\n```bash\npip install x\n```\n```python\nresult = 1\n```\n```python\nno\n```"
    assert extract_program(text, "python") == "result = 1"


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert extract_program("```sql\nSELECT 1", "sql") == "SELECT 1"


def test_a_fence_in_another_language_holds_no_program() -> None:
    assert extract_program("```python\nprint(1)\n```", "sql") == ""


def test_nothing_is_no_program() -> None:
    assert extract_program(" \n\n", "sql").strip() == ""
