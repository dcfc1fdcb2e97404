"""What changed between two policies: counts, groups, and the programs behind a number."""

import json

import gradio as gr
import pytest

from codelutra.evaluation import paired_gain
from pages.comparison import Policy, compare, parse_policy
from pages.what_changed import (
    NUM_OUTPUTS,
    Look,
    address_of,
    changes,
    clicked,
    look_of,
    show_changes,
)
from storage import db, recording
from tests.trend_runs import HOSTILE, add_policy, add_run, submit

VERDICTS = {"c": "correct", "w": "wrong_result", "s": "syntax_error", "h": "harness_error"}


@pytest.fixture
def score_policy(store):
    """score(run_id, number, {"task": "c"}) grades one program a task."""

    def score(run_id: int, number: int, signs: dict[str, str]) -> None:
        rows = [
            {"task_id": task, "index": 0, "completion": f"-- {HOSTILE}", "verdict": VERDICTS[sign],
             "detail": HOSTILE, "seconds": 0.0, "flaky": False, "output": HOSTILE,
             "extraction": ""}
            for task, sign in signs.items()
        ]  # fmt: skip
        scores = {"pass_at_1": 0.5, "ci95": [0.1, 0.9], "num_tasks": len(rows),
                  "syntax_error": 0.0, "verdicts": {"correct": 1}}  # fmt: skip
        with db.open_session() as session:
            where = recording.ensure_iteration(session, run_id=run_id, number=number)
            recording.add_samples(session, iteration_id=where, split="heldout", rows=rows)
            recording.add_scores(session, iteration_id=where, row=scores)

    return score


def compared(*policies):
    with db.open_session() as session:
        return compare(session, *(Policy(*policy) for policy in policies))


def test_a_task_is_fixed_broken_or_the_same_and_a_harness_error_is_none_of_them(score_policy):
    run = submit("r").run_id
    score_policy(run, 0, {"a": "w", "b": "c", "c": "c", "d": "s", "e": "h", "f": "c"})
    score_policy(run, 1, {"a": "c", "b": "s", "c": "c", "d": "w", "e": "c", "f": "h"})
    found = compared((run, 0), (run, 1))
    assert [(flip.task_id, flip.cell) for flip in found.flips] == [
        ("a", "fixed"), ("b", "broken"), ("c", "right"), ("d", "wrong"),
    ]  # fmt: skip
    assert (found.num_before, found.num_after) == (5, 5)
    assert [flip.task_id for flip in found.chosen("verdict", "syntax_error>wrong_result", "")] == [
        "d"
    ]
    html = "".join(map(str, show_changes([run], Look("0", "1"))))
    assert "Compared are the 4 tasks that both were graded on, of 5 and 5." in html


def test_the_gain_is_said_in_words_with_the_paired_interval(store):
    run = add_run("starter", (0.3, 0.7))
    found = compared((run, 0), (run, 1))
    was = [flip.before == "correct" for flip in found.flips]
    now = [flip.after == "correct" for flip in found.flips]
    gain, low, high = paired_gain(was, now)
    said = (
        f"{100 * gain:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}, 60 tasks"
    )
    assert said in show_changes([run])[4]
    told = changes(run, 0, 1)
    assert (told["gain"], told["ci95"], told["num_tasks"]) == (gain, [low, high], 60)


def test_groups_are_those_of_the_tasks_and_add_up(store):
    run = add_run("starter", (0.3, 0.7))
    found = compared((run, 0), (run, 1))
    databases = found.breakdowns["database"]
    assert sum(len(group.flips) for group in databases) == 60
    assert {group.name for group in databases} == {"music", "space", "farm", "kitchen", "school"}
    for cell in ("fixed", "broken", "right", "wrong"):
        in_groups = [f for g in databases for f in found.chosen("database", g.name, cell)]
        assert sorted(f.task_id for f in in_groups) == [
            f.task_id for f in found.chosen("", "", cell)
        ]
    assert "difficulty" not in found.breakdowns


def test_without_the_set_the_verdicts_are_still_compared(score_policy):
    run = submit("r", tasks="gone").run_id
    score_policy(run, 0, {"a": "w", "b": "c"})
    score_policy(run, 1, {"a": "c", "b": "c"})
    outputs = show_changes([run], Look("0", "1", cell="fixed", task="a"))
    assert [value for _, value in outputs[3].choices] == ["verdict"]
    assert "has no such task any more" in outputs[6]


def test_two_runs_are_compared_on_the_tasks_they_share(score_policy):
    first, second = submit("r").run_id, submit("s", tasks="other").run_id
    score_policy(first, 0, {"a": "w", "b": "c", "only": "c"})
    score_policy(second, 0, {"a": "c", "b": "c", "new": "c", "newer": "w"})
    html = show_changes([first, second], Look("0", f"{second}:0"))[4]
    assert "the 2 tasks that both were graded on, of 3 and 4" in html
    assert "different task sets" in html
    assert f"run {second}, base" in html


def test_runs_without_a_task_in_common_are_refused(score_policy):
    first, second = submit("r").run_id, submit("s").run_id
    score_policy(first, 0, {"a": "w"})
    score_policy(second, 0, {"b": "c", "d": "c"})
    outputs = show_changes([first, second], Look("0", f"{second}:0", cell="fixed"))
    assert "graded on 1 and 2 held-out tasks and have <b>none in common</b>" in outputs[4]
    assert "data-cell" not in outputs[4]
    with pytest.raises(gr.Error, match="no held-out task in common"):
        changes(first, 0, 0, second)


def test_a_task_opens_both_programs_and_what_models_wrote_is_text(store):
    run = add_run("starter", (0.9, 0.1))
    task = compared((run, 0), (run, 1)).chosen("", "", "broken")[0].task_id
    outputs = show_changes([run], Look(cell="broken", task=task))
    listed, programs = outputs[5], outputs[6]
    assert f'data-changed="{task}"' in listed
    assert "Before: base" in programs
    assert "After: iteration 1" in programs
    assert "The model reads" in programs
    assert HOSTILE not in "".join(outputs[4:7])
    assert "&lt;img src=x" in programs


def test_a_long_list_is_paged(store):
    run = add_run("starter", (0.0, 1.0))
    first = show_changes([run], Look(cell="fixed"))[5]
    last = show_changes([run], Look(cell="fixed", page=99))[5]
    assert "1 to 20 of 60" in first
    assert "41 to 60 of 60" in last
    assert first.count("data-changed") == last.count("data-changed") == 20


def test_only_what_is_new_is_sent_again_and_the_choice_stays(store):
    rows = submit("r", iterations=3)
    for number, accuracy in enumerate((0.3, 0.6)):
        add_policy(rows, number, accuracy)
    outputs = show_changes([rows.run_id], Look(cell="fixed"))
    look, seen = outputs[-2:]
    assert show_changes([rows.run_id], look, seen) == [gr.skip()] * NUM_OUTPUTS
    add_policy(rows, 2, 0.7)
    later = show_changes([rows.run_id], look, seen)
    assert later[2].value == "1"  # what was compared stays
    assert [value for _, value in later[2].choices] == ["0", "1", "2"]
    assert later[-2].cell == "fixed"


def test_another_run_starts_from_its_own_base(store):
    first, second = add_run("a", (0.3, 0.6)), add_run("b", (0.3, 0.6, 0.7))
    look, seen = show_changes([first], Look(cell="broken", task="t"))[-2:]
    other = show_changes([second], look, seen)[-2]
    assert (other.before, other.after, other.cell, other.task) == ("0", "2", "", "")


def test_one_policy_has_nothing_to_compare(store):
    assert not show_changes([add_run("one", (0.4,))])[0].visible
    assert not show_changes([])[0].visible


def test_the_address_holds_what_is_looked_at():
    params = {"from": "0", "to": "7:2", "by": "tag", "cell": "broken", "group": "x", "task": "q7"}
    look = look_of(params | {"run": "3"})
    assert look == Look("0", "7:2", "tag", "broken", "x", 0, "q7")
    assert address_of(look) == params
    assert parse_policy("7:2", 3) == Policy(7, 2)
    assert parse_policy("2", 3) == Policy(3, 2)
    assert parse_policy("<b>", 3) is None


def test_a_strange_address_shows_the_defaults(store):
    run = add_run("starter", (0.3, 0.7))
    hostile = Look("<b>", "99", HOSTILE, HOSTILE, HOSTILE, 0, HOSTILE)
    outputs = show_changes([run], hostile)
    assert (outputs[1].value, outputs[2].value) == ("0", "1")
    assert HOSTILE not in "".join(outputs[4:7])
    assert json.loads(json.dumps(address_of(outputs[-2])))["from"] == "0"


def test_a_click_chooses_a_number_a_task_or_a_page():
    look = Look("0", "1", cell="fixed", page=2, task="a")
    assert clicked(look, {"cell": "broken", "group": "shop"}) == Look(
        "0", "1", cell="broken", group="shop"
    )
    assert clicked(look, {"changed": "b"}).task == "b"
    assert clicked(look, {"page": "3"}).page == 3
