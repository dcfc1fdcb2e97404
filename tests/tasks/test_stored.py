"""An imported set is whole, or not there at all."""

import json
import zipfile
from pathlib import Path

import pytest

from codelutra.cli import main
from codelutra.errors import TaskError
from codelutra.tasks import list_task_sets, load_tasks
from codelutra.tasks.health import check_golds
from codelutra.tasks.stored import ImportOptions, import_set, sets_folder
from tests.tasks.published import HUMANEVAL, MBPP, spider_row, write_spider


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    rows = [spider_row(n, name) for name in ("music", "other") for n in (1, 2)]
    return write_spider(tmp_path / "spider", rows, ("music", "other"))


def test_a_set_is_found_again_by_its_name(spider: Path) -> None:
    _, tasks = import_set(spider, "mine", ImportOptions(match="spider"))
    assert list_task_sets() == ["starter", "mine"]
    assert load_tasks("mine") == tasks
    assert {task.match for task in tasks} == {"spider"}
    by_family = {(task.family, task.split) for task in tasks}
    assert len(by_family) == len({split for _, split in by_family}) == 2
    assert check_golds(tasks)["gold_ok"] == 4


def test_the_split_may_be_drawn_by_task(spider: Path) -> None:
    _, tasks = import_set(spider, "mine", ImportOptions(0.5, split_by="task"))
    assert sorted(task.split for task in tasks) == ["heldout", "heldout", "train", "train"]


def test_what_an_archive_brings_is_kept(spider: Path, tmp_path: Path) -> None:
    archive = tmp_path / "spider.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(spider.rglob("*")):
            opened.write(path, Path("top") / path.relative_to(spider))
    _, tasks = import_set(archive, "mine")
    archive.unlink()
    assert all(Path(task.database).is_relative_to(sets_folder()) for task in tasks)
    assert check_golds(load_tasks("mine"))["gold_ok"] == 4


def test_the_template_is_the_user_s_and_may_be_edited(spider: Path) -> None:
    options = ImportOptions(template="Q: {question}\nprice in {braces} ")
    with pytest.raises(TaskError, match=r"names \{braces\}: this set has \{question\}, \{evidence"):
        import_set(spider, "mine", options)
    import_set(spider, "mine", ImportOptions(template="Q: {question}"))
    assert load_tasks("mine")[0].prompt == "Q: Who is 1?"
    path = sets_folder() / "mine" / "set.json"
    stored = json.loads(path.read_text())
    stored["options"]["template"] = "{question}!"
    path.write_text(json.dumps(stored))
    assert load_tasks("mine")[0].prompt == "Who is 1?!"


@pytest.mark.parametrize(
    ("name", "message"),
    [("starter", "no name for a set"), ("../x", "no name"), ("", "no name"), ("taken", "already")],
)
def test_a_name_that_will_not_do(spider: Path, name: str, message: str) -> None:
    import_set(spider, "taken")
    with pytest.raises(TaskError, match=message):
        import_set(spider, name)
    assert list_task_sets() == ["starter", "taken"]


def test_nothing_is_half_imported(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    broken = ([MBPP, MBPP], "task 'mbpp-11' appears twice"), ([MBPP, {**MBPP, "code": 1}], "row 2")
    for rows, message in broken:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with pytest.raises(TaskError, match=message):
            import_set(path, "mine")
    with pytest.raises(TaskError, match=r"can be used \(database gone is missing"):
        import_set(write_spider(tmp_path / "s", [spider_row(1, "gone")], ()), "mine")
    with pytest.raises(TaskError, match="does not exist"):
        import_set(tmp_path / "nowhere", "mine")
    assert list(sets_folder().iterdir()) == []
    (sets_folder() / ".import-killed").mkdir()
    (sets_folder() / ".import-killed" / "set.json").touch()
    assert list_task_sets() == ["starter"]


def test_a_database_that_went_away_is_named(spider: Path) -> None:
    import_set(spider, "mine")
    (spider / "database/music/music.sqlite").unlink()
    with pytest.raises(TaskError, match=r"set mine: 1 databases are gone, first .*music.sqlite"):
        load_tasks("mine")


def test_own_tasks_keep_the_split_they_say(tmp_path: Path) -> None:
    rows = [
        {"task_id": f"t{n}", "kind": "python", "prompt": "p {x}", "gold": "result = 1"}
        for n in range(4)
    ]
    rows[0]["split"] = "heldout"
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, tasks = import_set(path, "mine", ImportOptions(0.0))
    assert [task.split for task in tasks] == ["heldout", "train", "train", "train"]
    assert tasks[0].prompt == "p {x}"


def test_the_command_line_shows_five_prompts_and_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{**HUMANEVAL, "task_id": f"HumanEval/{n}"} for n in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["tasks", "import", str(path), "--name", "he", "--heldout", "0.25"]) == 0
    out = capsys.readouterr().out
    assert out.count(str(HUMANEVAL["prompt"])) == 5
    assert "he: 8 tasks (humaneval) of 8 families, 6 train, 2 held-out" in out
    assert main(["tasks", "list"]) == 0
    assert "he\t6 train\t2 held-out" in capsys.readouterr().out
    assert main(["tasks", "import", str(path), "--name", "he2", "--heldout", "2"]) == 2
    assert "between 0 and 1" in capsys.readouterr().err


def test_leaks_are_listed_or_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{**MBPP, "task_id": n} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stored, tasks = import_set(path, "listed", ImportOptions(0.25))
    assert (len(tasks), len(stored.leaks), stored.left_out) == (4, 3, {})
    stored, tasks = import_set(path, "dropped", ImportOptions(0.25, drop_leaks=True))
    assert [task.split for task in tasks] == ["heldout"]
    assert (stored.leaks, len(stored.left_out)) == ([], 3)
    main(["tasks", "import", str(path), "--name", "told", "--heldout", "0.25"])
    assert "1 of 1 held-out tasks are given away: --drop-leaks" in capsys.readouterr().out
