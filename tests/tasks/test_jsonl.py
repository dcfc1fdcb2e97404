import json
from pathlib import Path

import pytest

from codelutra.errors import TaskError
from codelutra.tasks import load_tasks

GOOD = {"task_id": "a", "kind": "python", "prompt": "p", "gold": "result = 1"}


def write(path: Path, *lines: object) -> str:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
    return str(path)


def test_rows_become_tasks_and_databases_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").touch()
    row = {"task_id": "q", "kind": "sql", "prompt": "p", "gold": "SELECT 1", "database": "x.sqlite"}
    tasks = load_tasks(write(tmp_path / "t.jsonl", GOOD, "", row))
    assert [task.task_id for task in tasks] == ["a", "q"]
    assert tasks[1].database == str(tmp_path / "x.sqlite")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{not json", r"line 2: not JSON .*column 2"),
        ({**GOOD, "task_id": "b", "prompt": ""}, "line 2: prompt"),
        ({**GOOD, "task_id": "b", "typo": 1}, "line 2: typo"),
        ({**GOOD, "task_id": "b", "kind": "cobol"}, "line 2: kind"),
        (GOOD, "line 2: task_id 'a' appears twice"),
        ({**GOOD, "task_id": "b", "kind": "sql"}, "line 2: a sql task needs `database`"),
        (
            {**GOOD, "task_id": "b", "kind": "sql", "database": "gone.sqlite"},
            r"line 2: database .*gone.sqlite is missing",
        ),
        ("[1]", "line 2"),
        ({**GOOD, "task_id": "b", "match": "bird"}, "line 2: match 'bird' is for sql tasks: leave"),
        ({**GOOD, "task_id": "b", "match": "loose"}, "line 2: match: Input should be 'exact', 'bi"),
        ({**GOOD, "task_id": "b", "tolerance": -1}, "line 2: tolerance: Input should be greater"),
        (
            {**GOOD, "task_id": "b", "kind": "sql", "database": "x", "tolerance": 0.1},
            "line 2: `tolerance` is for python tasks: leave it out",
        ),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, bad: object, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        load_tasks(write(tmp_path / "t.jsonl", GOOD, bad))


def test_a_task_may_say_how_it_is_compared(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").touch()
    row = {"task_id": "q", "kind": "sql", "prompt": "p", "gold": "SELECT 1", "database": "x.sqlite"}
    path = write(tmp_path / "t.jsonl", {**GOOD, "tolerance": 0.1}, {**row, "match": "spider"})
    first, second = load_tasks(path)
    assert (first.match, first.tolerance) == ("exact", 0.1)
    assert (second.match, second.tolerance) == ("spider", None)


def test_an_empty_set_and_an_unknown_name_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no tasks in it"):
        load_tasks(write(tmp_path / "t.jsonl"))
    with pytest.raises(TaskError, match="no task set 'nope'"):
        load_tasks("nope")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TaskError, match="UTF-8"):
        load_tasks(str(path))
