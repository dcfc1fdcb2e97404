"""The Tasks tab without a browser: what is listed, filtered, shown and put away."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from codelutra.errors import CodeLutraError
from codelutra.tasks import Task
from codelutra.tasks.quarantine import quarantine, quarantined
from codelutra.tasks.stored import import_set, sets_folder, stored_names
from pages import task_import
from pages.before import before
from pages.task_html import detail, facts, health, table
from pages.task_list import PAGE, Filter, Listed, list_tasks, quarantine_problem, toggle_quarantine
from pages.tasks import NUM_OUTPUTS, Look, show
from storage import checks, db

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def mine(store: Path, tmp_path: Path) -> Path:
    """A set of 40 tasks, some of them in one family, with a name, tags and hostile texts."""
    rows = [
        {
            "task_id": f"t{n}", "kind": "python", "prompt": f"Number {n} {MARKUP}\n",
            "gold": f"result = {n}", "family": f"f{n % 4}", "tags": ["easy" if n % 2 else "hard"],
            "split": "train" if n < 30 else "heldout",
        }
        for n in range(40)
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_set(path, "mine")
    return path


def rows() -> list[Listed]:
    with db.open_session() as session:
        return list_tasks(session, tasks="mine")


def found(**wanted: str) -> list[str]:
    return [row.task.task_id for row in rows() if Filter(**wanted).shows(row)]


def end_check(*findings: tuple[str, str]) -> None:
    check_id = checks.submit(tasks="mine", total=40)
    with db.open_session() as session:
        named = [{"task_id": t, "problem": p, "reason": "because " + MARKUP} for t, p in findings]
        checks.finish(session, check_id=check_id, findings=named)
    checks.cancel(check_id)


def test_filters_by_split_tag_family_words_and_state(mine: Path) -> None:
    assert len(found(split="heldout")) == 10
    assert len(found(tag="easy")) == 20
    assert len(found(tag="f3", split="train")) == 7
    assert found(words="NUMBER 17") == ["t17"]
    assert found(words="t39") == ["t39"]
    end_check(("t1", "failing"), ("t2", "empty"))
    quarantine("mine", {"t5": "bad"})
    assert found(state="problem") == ["t1", "t2"]
    assert found(state="empty") == ["t2"]
    assert found(state="quarantined") == ["t5"]
    assert len(found(state="untried")) == 40


def test_never_and_always_solved(mine: Path) -> None:
    task = rows()[0].task
    assert Listed(task, {}, None, solved=0, graded=3).is_in("never")
    assert not Listed(task, {}, None, solved=0, graded=0).is_in("never")
    assert Listed(task, {}, None, solved=3, graded=3).is_in("always")
    assert not Listed(task, {}, None, solved=2, graded=3).is_in("always")


def test_a_click_puts_every_task_with_a_problem_away(mine: Path) -> None:
    end_check(("t1", "failing"), ("t2", "failing"), ("t3", "empty"))
    with db.open_session() as session:
        quarantine_problem(session, tasks="mine", problem="failing")
        assert quarantined("mine").keys() == {"t1", "t2"}
        toggle_quarantine(session, tasks="mine", task_id="t1")
        toggle_quarantine(session, tasks="mine", task_id="t9")
    assert quarantined("mine") == {
        "t2": f"failing: because {MARKUP}",
        "t9": "by hand, on the Tasks tab",
    }


def test_pages_stay_within_what_was_found(mine: Path) -> None:
    for page, first in ((0, "1 to 15"), (1, "16 to 30"), (99, "31 to 40"), (-1, "1 to 15")):
        outputs = show(Look("mine", page=page))
        assert len(outputs) == NUM_OUTPUTS
        assert f"{first} of 40" in outputs[7]
    assert PAGE == 15
    assert 'data-found="0"' in show(Look("mine", Filter(words="nothing")))[7]
    assert "No task is like that" in show(Look("mine", Filter(words="nothing")))[6]


def test_nothing_is_sent_again_while_nothing_happens(mine: Path) -> None:
    version = show(Look("mine"))[-1]
    assert all(out == {"__type__": "update"} for out in show(Look("mine"), version))
    check_id = checks.submit(tasks="mine", total=40)
    outputs = show(Look("mine"), version)
    assert "0 of 40 golds" in outputs[2]
    with db.open_session() as session:
        checks.set_done(session, check_id=check_id, done=20)
    skip = {"__type__": "update"}
    untouched = [out for out in show(Look("mine"), outputs[-1]) if out != skip]
    assert len(untouched) == 2  # the bar and the version: a reader's page stays as it is
    assert "20 of 40 golds" in untouched[0]


def test_findings_are_those_of_the_set_as_it_is(mine: Path) -> None:
    end_check(("t1", "failing"))
    assert rows()[1].problems
    later = time.time() + 1
    os.utime(sets_folder() / "mine" / "set.json", (later, later))
    assert not rows()[1].problems
    assert "of this set as it is now" in show(Look("mine"))[2]
    assert "not checked yet" in before({"tasks": "mine", "model": "starter", "iterations": 1})


def test_an_unknown_set_says_what_there_is(store: Path) -> None:
    outputs = show(Look("nothing"))
    assert "no task set" in outputs[1]
    assert "Nobody" not in outputs[2]


def test_what_a_set_says_is_text(mine: Path) -> None:
    end_check(("t1", "failing"))
    quarantine("mine", {"t1": MARKUP})
    listed = rows()
    with db.open_session() as session:
        check = checks.newest_findings(session, tasks="mine")
    page = table(listed[:3], "t1") + detail(listed[1]) + facts(listed, None)
    page += health(listed, check, None, check)
    assert "&lt;img" in page
    assert "<img" not in page


def test_the_gold_is_told_apart_from_what_the_model_reads(mine: Path) -> None:
    shown, hidden = detail(rows()[7]).split("What it never sees")
    assert "Number 7" in shown
    assert "result = 7" not in shown
    assert "result = 7" in hidden


def form(**changes: Any) -> dict[str, Any]:
    given = {
        "upload": None, "path": "", "name": "", "heldout": 30, "split_by": "family", "seed": 0,
        "match": "exact", "drop_leaks": False, "template": "", "columns": "",
    }  # fmt: skip
    return {**given, **changes}


def test_a_preview_keeps_nothing_and_an_import_does(mine: Path) -> None:
    message, template, name, shown = task_import.look(form(path=str(mine)))
    assert "Not kept yet" in message
    assert (template, name) == ("{prompt}", "rows")
    assert shown.count("<pre>") == 5
    assert stored_names() == ["mine"]
    message, *kept, _ = task_import.keep(form(path=str(mine), template="Q: {prompt}"))
    assert kept == ["rows", "rows"]
    assert "40 tasks are kept as rows" in message
    assert stored_names() == ["mine", "rows"]
    assert "there is a set rows already" in task_import.keep(form(path=str(mine)))[0]


def test_a_bad_import_says_why(store: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"task_id": 1}\n')
    assert "choose a file" in task_import.look(form())[0]
    for handler in (task_import.look, task_import.keep):
        assert "none of the known formats" in handler(form(path=str(bad)))[0]
        assert "does not exist" in handler(form(path="/nowhere/at/all"))[0]
    assert stored_names() == []
    with pytest.raises(CodeLutraError, match="choose a file"):
        task_import.read(form(path="  "))


def test_columns_are_mapped_line_by_line(store: Path, tmp_path: Path) -> None:
    table = tmp_path / "lab.csv"
    table.write_text("question,answer\nTwo?,result = 2\n")
    lines = "prompt = question\ngold=answer\n\nkind = =python"
    message, *_ = task_import.keep(form(path=str(table), columns=lines))
    assert "1 tasks are kept as lab" in message
    assert "is no `field = column`" in task_import.look(form(path=str(table), columns="x"))[0]


def test_the_first_of_many_inputs_are_shown_in_short() -> None:
    task = {"task_id": "j", "kind": "javascript", "prompt": "p", "gold": "console.log(1)"}
    few = Task.model_validate({**task, "stdin": ["1 2", "<b>"]})
    many = Task.model_validate({**task, "stdin": ["x" * 10_000, *map(str, range(1_999))]})
    shown = [detail(Listed(each, {}, None, 0, 0)) for each in (few, many)]
    assert '<div class="label">stdin</div><pre class="code">1 2\n&lt;b&gt;</pre>' in shown[0]
    assert "x…\n0\n1\n2" in shown[1]
    assert "… and 1,990 more" in shown[1]
    assert len(shown[1]) < 2_000
