"""What gives a held-out task away is found, and nothing else."""

import time
from typing import Any

from codelutra.tasks.draft import Draft
from codelutra.tasks.leaks import find_leaks

QUESTION = "Write a function that returns the largest of three numbers in a list"


def draft(task_id: str, split: str, question: str, gold: str = "", **task: Any) -> Draft:
    fields = {"task_id": task_id, "split": split, "gold": gold or f"g{task_id}", **task}
    return Draft(fields, {"question": question, "schema": "CREATE TABLE a (b, c, d, e, f)"})


def found(*drafts: Draft) -> list[tuple[str, str, str]]:
    return [(leak.train_id, leak.heldout_id, leak.reason) for leak in find_leaks(drafts)]


def test_nearly_the_same_words_are_found() -> None:
    near = QUESTION.lower() + ", quickly"
    other = "Sum up all even entries of a matrix"
    assert found(
        draft("a", "train", QUESTION), draft("b", "train", other), draft("c", "heldout", near)
    ) == [("a", "c", "85% the same words")]


def test_the_same_gold_is_found_whatever_its_layout() -> None:
    one, two = draft("a", "train", "x", "SELECT  1"), draft("b", "heldout", "y", "SELECT 1\n")
    assert found(one, two) == [("a", "b", "the same gold")]


def test_the_same_text_on_another_database_is_no_leak() -> None:
    one = draft("a", "train", "x", "SELECT 1", database="one.sqlite")
    assert found(one, draft("b", "heldout", "y", "SELECT 1", database="two.sqlite")) == []


def test_a_schema_and_tasks_of_one_side_do_not_count() -> None:
    assert found(draft("a", "train", QUESTION), draft("b", "train", QUESTION)) == []
    assert found(draft("a", "train", "one two three"), draft("b", "heldout", "four five six")) == []


def test_ten_thousand_tasks_take_seconds() -> None:
    drafts = [
        draft(str(n), "heldout" if n % 3 == 0 else "train", f"{QUESTION} of kind {n} or {n * 7}")
        for n in range(10_000)
    ]
    started = time.perf_counter()
    find_leaks(drafts)
    assert time.perf_counter() - started < 20
