"""Every published form becomes tasks whose prompt holds nothing that the verdict compares with."""

import gzip
import json
from pathlib import Path

import pytest

from codelutra.config import SandboxConfig
from codelutra.errors import TaskError
from codelutra.grading import Grader
from codelutra.prompting import task_program
from codelutra.records import Sample
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, formats
from codelutra.tasks.draft import Published
from codelutra.tasks.template import fill
from tests.tasks.published import (
    DATA,
    HUMANEVAL,
    IS_FULL,
    MBPP,
    real_data,
    spider_row,
    write_spider,
)


def tasks_of(published: Published) -> list[Task]:
    return [
        Task.model_validate({**d.task, "prompt": fill(published.template, d.parts)})
        for d in published.drafts
    ]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_spider_is_a_folder_and_a_missing_database_is_named(tmp_path: Path) -> None:
    rows = [spider_row(1), spider_row(2, "gone"), spider_row(3)]
    published = formats.load(write_spider(tmp_path / "s", rows, ("music",)))
    first, second = tasks_of(published)
    assert (first.task_id, second.task_id, first.family) == ("spider-0", "spider-2", "music")
    assert Path(first.database).is_file()
    assert "CREATE TABLE singer" in first.prompt
    assert "Who is 1?" in first.prompt
    assert published.left_out == {"spider-1": "database gone is missing"}


def test_bird_brings_evidence_and_difficulty(tmp_path: Path) -> None:
    row = {
        "question_id": 7, "db_id": "music", "question": "Who?", "evidence": "who means name",
        "SQL": "SELECT 1", "difficulty": "simple",
    }  # fmt: skip
    published = formats.load(write_spider(tmp_path / "b", [row], ("music",)))
    (task,) = tasks_of(published)
    assert (published.format, task.task_id, task.tags) == ("bird", "bird-7", ("simple",))
    assert "-- who means name\n-- Who?\n" in task.prompt


def test_mbpp_shows_the_head_of_the_tested_function_and_no_test(tmp_path: Path) -> None:
    (task,) = tasks_of(formats.load(write(tmp_path / "mbpp.jsonl", MBPP)))
    assert task.prompt == '"""Write a function to add."""\ndef add(a,\n        b):\n'
    assert task.tests == ("ONE = 1", "assert add(ONE, 2) == 3", "assert add(20, 22) == 42")


def test_humaneval_is_read_packed_or_not(tmp_path: Path) -> None:
    plain = tasks_of(formats.load(write(tmp_path / "HumanEval.jsonl", HUMANEVAL)))
    with gzip.open(tmp_path / "packed.jsonl.gz", "wt") as file:
        file.write(json.dumps(HUMANEVAL))
    assert tasks_of(formats.load(tmp_path / "packed.jsonl.gz")) == plain
    (task,) = plain
    assert (task.prompt, task.entry_point) == (HUMANEVAL["prompt"], "add")
    assert task.gold_completion == "    return a + b\n"


@pytest.mark.parametrize(
    ("completion", "begins"),
    [
        ("    return a + b", 'import math\n\n\ndef add(a, b):\n    """Add.'),
        ("def add(a, b):\n    return a + b", "def add(a, b):\n    return"),
        ("import os\ndef add(a, b):\n    return 1", "import os\ndef"),
        ("    return helper(a)\n\ndef helper(a):\n    return a", "import math"),
        ("```python\ndef add(a, b):\n    return 1\n```", "def add"),
    ],
)
def test_a_completion_goes_on_or_begins_anew(tmp_path: Path, completion: str, begins: str) -> None:
    (task,) = tasks_of(formats.load(write(tmp_path / "h.jsonl", HUMANEVAL)))
    program = task_program(completion, task).program
    assert program.startswith(begins)
    assert program.count("def add(") == 1
    compile(program, "program", "exec")


def test_an_empty_completion_is_no_program(tmp_path: Path) -> None:
    (task,) = tasks_of(formats.load(write(tmp_path / "h.jsonl", HUMANEVAL)))
    assert task_program("\n", task).program == ""


def test_several_sets_in_a_folder_are_not_guessed_about(tmp_path: Path) -> None:
    write(tmp_path / "mbpp.jsonl", MBPP)
    write(tmp_path / "other.jsonl", HUMANEVAL)
    with pytest.raises(TaskError, match=r"several sets \(mbpp.jsonl, other.jsonl\): name the file"):
        formats.load(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, "first row has a, which is none of the known formats"),
        ([1], "row 1: not a JSON object"),
        ({**MBPP, "code": "def f(:"}, "row 1: its code or tests are no Python"),
        ({**MBPP, "test_list": "assert"}, "row 1: `test_list` is missing or no list"),
        (spider_row(1, question=""), "row 1: `question` is missing"),
        (spider_row(1, "../../etc"), "row 1: db_id '../../etc' is no plain name"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, row: object, message: str) -> None:
    folder = write_spider(tmp_path / "s", [], ("music",))
    with pytest.raises(TaskError, match=message):
        formats.load(write(folder / "rows.jsonl", row))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"code": "\xe9"}', "line 1: byte 0xe9 is no UTF-8 text"),
        (b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"", "no tasks in it"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message):
        formats.load(path)


def test_a_line_beyond_all_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codelutra.tasks.rows.MAX_LINE", 1 << 20)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"code": "' + "x" * (2 << 20) + '"}')
    with pytest.raises(TaskError, match="line 1: 2 MiB long"):
        formats.load(path)


REAL = {  # file: tasks that are published, tasks whose database is here
    "spider/dev.json": (1034, 543),
    "bird/dev.json": (1534, 129),
    "bird/mini_dev_sqlite.json": (500, 52),
    "mbpp/mbpp.jsonl": (974, 974),
    "mbpp/sanitized-mbpp.json": (427, 427),
    "humaneval/HumanEval.jsonl.gz": (164, 164),
}


@real_data
@pytest.mark.parametrize("file", REAL)
def test_the_real_sets_load_whole_and_their_tests_stay_hidden(file: str) -> None:
    published = formats.load(DATA / file)
    tasks = tasks_of(published)
    assert (len(tasks) + len(published.left_out), len(tasks)) == REAL[file]
    for task in tasks:
        assert task.gold.strip() not in task.prompt
        assert task.gold_completion.strip() not in task.prompt
        asserts = [line for test in task.tests for line in test.split("\n") if "assert " in line]
        assert not [line for line in asserts if line.strip() in task.prompt]


@real_data
@pytest.mark.slow
@pytest.mark.parametrize("file", REAL)
def test_the_golds_of_the_real_sets_pass_as_completions_of_their_prompts(file: str) -> None:
    found = list(tasks_of(formats.load(DATA / file)))
    if not IS_FULL and len(found) > 600:
        found = found[1::2]  # the others' golds are executed in test_asserts_published.py
    tasks = {task.task_id: task for task in found}
    samples = [Sample(task_id, 0, task.gold_completion) for task_id, task in tasks.items()]
    with Sandbox(SandboxConfig(timeout_s=60)) as sandbox:  # whatever the machine
        verdicts = Grader(sandbox).grade(tasks, samples)
    assert [key for key, verdict in verdicts.items() if verdict.kind != "correct"] == []
