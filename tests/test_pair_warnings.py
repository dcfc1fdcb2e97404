"""What speaks against a pair, on the starter's own tasks and programs."""

from collections.abc import Sequence
from dataclasses import replace
from time import process_time

import pytest

from codelutra.config import PairingConfig
from codelutra.pair_warnings import MEANING, WEIGHT, PairNotes, PairWarning, doubt, warn
from codelutra.pairing import build_pairs
from codelutra.records import PreferencePair, Sample, Verdict, VerdictKind
from codelutra.starter import MODEL_DIR
from codelutra.tasks import Task, load_tasks
from codelutra.token_counts import token_counter
from codelutra.training.batching import fits
from tests.test_asserts import LINES, WEAK

TASKS = {task.task_id: task for task in load_tasks("starter")}
SQL = next(task for task in TASKS.values() if task.kind == "sql" and " WHERE " in task.gold)
PYTHON = next(task for task in TASKS.values() if task.kind == "python")
CORRECT, WRONG = VerdictKind.CORRECT, VerdictKind.WRONG_RESULT
FAR = "SELECT x, y, z FROM (SELECT 1, 2, 3) AS q ORDER BY 1, 2, 3"


def pair(task: Task, chosen: str, rejected: str) -> PreferencePair:
    return PreferencePair(task.task_id, chosen, rejected, 0, 1)


def notes(
    *pairs: PreferencePair, samples: Sequence[Sample] = (), tasks: Sequence[Task] = ()
) -> list[PairNotes]:
    known = TASKS | {task.task_id: task for task in tasks}
    return warn(pairs, samples, known, None, 512)


def warnings(*args: PreferencePair, **more: Sequence[Sample]) -> tuple[str, ...]:
    return notes(*args, **more)[-1].warnings  # type: ignore[arg-type]


def sample(index: int, completion: str, kind: VerdictKind = WRONG, detail: str = "") -> Sample:
    return Sample(SQL.task_id, index, completion, Verdict(kind, detail))


def test_a_pair_like_any_other_has_no_warning() -> None:
    assert notes(pair(SQL, SQL.gold, FAR)) == [PairNotes((), 0.0)]


def test_every_warning_is_explained_and_weighed() -> None:
    assert set(MEANING) == set(WEIGHT) == set(PairWarning)


def test_what_differs_in_format_only_is_no_tiny_edit() -> None:
    assert warnings(pair(SQL, SQL.gold, SQL.gold.lower().replace(" ", "\n"))) in (
        ("format_only",),
        (),  # the gold has a capital letter in a value
    )
    assert warnings(pair(SQL, "SELECT a FROM t", "select a\nFROM t;")) == ("format_only",)
    assert warnings(pair(PYTHON, PYTHON.gold, PYTHON.gold + "  # so")) == ("format_only",)


def test_two_tokens_are_a_tiny_edit_and_three_are_none() -> None:
    gold = "SELECT a FROM t WHERE b > 1"
    assert warnings(pair(SQL, gold, "SELECT a FROM t WHERE b >= 2")) == ("tiny_edit",)
    assert warnings(pair(SQL, gold, "SELECT c FROM t WHERE b >= 2")) == ()


def test_programs_are_compared_without_the_talk_around_them() -> None:
    chosen = "Here you are:\n```sql\nSELECT a FROM t\n```"
    assert warnings(pair(SQL, chosen, "Sure!\n```sql\nselect a FROM t\n```")) == ("format_only",)


def test_more_than_three_times_the_tokens_is_a_length_difference() -> None:
    assert warnings(pair(SQL, "SELECT a", "SELECT b, c, d")) == ()
    assert warnings(pair(SQL, "SELECT a", "SELECT b, c, d, e")) == ("length",)


def test_the_second_of_two_pairs_alike_is_a_near_duplicate() -> None:
    long = " + ".join(f"a{n}" for n in range(20))  # 39 tokens, 5 % is one
    first = pair(SQL, f"SELECT {long}", FAR)
    alike = pair(SQL, f"SELECT {long.replace('a7', 'b7')}", FAR)
    other = pair(
        SQL, f"SELECT {long.replace('a7', 'b7').replace('a8', 'b8').replace('a9', 'c')}", FAR
    )
    elsewhere = replace(first, task_id=PYTHON.task_id)
    found = [each.warnings for each in notes(first, alike, other, elsewhere)]
    assert found == [(), ("near_duplicate",), (), ()]


def test_both_sides_must_be_alike() -> None:
    one, other = "SELECT a FROM t WHERE b > 3", "SELECT c + d - e FROM u AS v"
    assert warnings(pair(SQL, one, FAR), pair(SQL, other, FAR)) == ()


def test_answers_that_agree_against_the_gold_make_it_suspect() -> None:
    agreeing = [sample(n, f"SELECT {n} FROM t", detail="expected 3, got 4") for n in range(3)]
    right = [sample(3 + n, SQL.gold, CORRECT) for n in range(2)]
    judged = pair(SQL, SQL.gold, FAR)
    assert "gold_suspect" in warnings(judged, samples=[*agreeing, *right])
    no_harm = Sample(SQL.task_id, 9, "", Verdict(VerdictKind.HARNESS_ERROR))
    assert "gold_suspect" in warnings(judged, samples=[*agreeing, *right, no_harm])


AGREED = "expected 3, got 4"
PROGRAMS = [f"SELECT {n}" for n in range(7)]
INNOCENT = {
    "one program": [sample(n, "SELECT 1", detail=AGREED) for n in range(5)],
    "one but for space": [sample(n, "SELECT 1" + " " * n, detail=AGREED) for n in range(5)],
    "no agreement": [sample(n, PROGRAMS[n], detail=f"got {n}") for n in range(5)],
    "no detail": [sample(n, PROGRAMS[n]) for n in range(5)],
    "as many pass": [sample(n, PROGRAMS[n], WRONG if n < 3 else CORRECT, AGREED) for n in range(6)],
    "a minority": [
        sample(n, PROGRAMS[n], WRONG if n < 3 else VerdictKind.TIMEOUT, AGREED) for n in range(7)
    ],
}


@pytest.mark.parametrize("samples", INNOCENT.values(), ids=INNOCENT)
def test_less_than_that_says_nothing_of_the_gold(samples: list[Sample]) -> None:
    assert "gold_suspect" not in warnings(pair(SQL, SQL.gold, FAR), samples=samples)


def test_tests_that_a_program_could_forge_are_a_weak_proof() -> None:
    gold = "def add(a, b):\n    return a + b"
    tasks = [
        Task(task_id=name, kind="python", prompt="p", gold=gold, tests=tests)
        for name, tests in (("strong", LINES), ("weak", (WEAK,)))
    ]
    found = notes(*(pair(task, gold, "def sub(a, b, c): pass") for task in tasks), tasks=tasks)
    assert ["weak_proof" in each.warnings for each in found] == [False, True]


def test_too_long_is_what_training_would_drop() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    counter = token_counter("starter")
    for task in (SQL, PYTHON):
        judged = pair(task, task.gold, task.gold + "\n" + task.gold)
        ids = {"prompt": tokenizer(task.prompt)["input_ids"]}
        row = {"prompt_ids": ids["prompt"]}
        for side in ("chosen", "rejected"):  # as TRL's trainer does
            text = task.prompt + getattr(judged, side) + tokenizer.eos_token
            row[f"{side}_ids"] = tokenizer(text)["input_ids"][len(ids["prompt"]) :]
        length = len(row["prompt_ids"]) + len(row["rejected_ids"])
        for max_length in (16, *range(length - 20, length + 21), 2048):
            (found,) = warn([judged], [], TASKS, counter, max_length)
            assert ("too_long" in found.warnings) is not fits(row, max_length)


def test_without_a_tokenizer_no_length_is_checked(tmp_path: object) -> None:
    assert token_counter(str(tmp_path)) is None
    assert token_counter("nobody/has-this-model") is None
    assert token_counter("no such model!") is None
    assert "too_long" not in warnings(pair(SQL, SQL.gold, "SELECT " + "a, " * 9_000))


def test_a_text_that_is_no_unicode_is_counted_all_the_same() -> None:
    counter = token_counter("starter")
    assert counter is not None
    assert counter("SELECT \ud800\0") > 1


def test_doubt_grows_with_warnings_and_where_few_of_many_pass() -> None:
    assert doubt((), 5, 10) == doubt((), 0, 0) == 0
    assert 0 < doubt((), 1, 2 + 1) < doubt((), 1, 10) < doubt((), 1, 100) < doubt((), 0, 100) < 1
    assert doubt(("tiny_edit",), 5, 10) == pytest.approx(0.2)
    assert doubt(("tiny_edit", "gold_suspect"), 5, 10) == pytest.approx(1 - 0.8 * 0.4)
    assert doubt([warning.value for warning in PairWarning], 0, 100) < 1


def test_notes_keep_the_order_of_pairs_whose_tasks_are_mixed() -> None:
    tiny = [pair(task, task.gold, FAR) for task in (SQL, PYTHON)]
    same = [pair(task, task.gold, task.gold) for task in (SQL, PYTHON)]
    found = notes(tiny[0], same[1], same[0], tiny[1])
    assert ["format_only" in each.warnings for each in found] == [False, True, True, False]


def test_ten_times_the_pairs_cost_ten_times_as_much() -> None:
    """Of as many pairs a task as a run makes; 25 times is noise, 100 would be a square."""
    of_sql = [task for task in TASKS.values() if task.kind == "sql"][:400]

    def seconds(num_tasks: int) -> float:
        tasks = {task.task_id: task for task in of_sql[:num_tasks]}
        samples = [
            Sample(task, n, f"{TASKS[task].gold} LIMIT {n}", Verdict(CORRECT if n % 2 else WRONG))
            for task in tasks
            for n in range(10)
        ]
        pairs = build_pairs(tasks, samples, PairingConfig(max_pairs=10), seed=0)
        assert len(pairs) == 10 * num_tasks
        start = process_time()
        assert len(warn(pairs, samples, tasks, None, 512)) == len(pairs)
        return process_time() - start

    assert any(seconds(400) < 25 * seconds(40) for _ in range(3))
