"""Steps hold whole tasks, and are run in parts that fit."""

from codelutra.training.batching import Row, fits, parts, steps


def row(task: str, number: int = 0, prompt: int = 10, length: int = 4) -> Row:
    return {
        "task_id": task,
        "prompt_ids": [1] * prompt,
        "chosen_ids": [number] * length,
        "rejected_ids": [100 + number] * length,
    }


def tasks(step: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["task_id"] for row in step))


def test_a_task_stays_in_one_step_and_a_step_has_its_rows_or_more() -> None:
    rows = [row(str(task), n) for task in range(20) for n in range(3)]
    made = steps(rows, 8, seed=0, in_order=False)
    assert sorted(len(step) for step in made) == [6, *[9] * 6]
    assert sorted(task for step in made for task in tasks(step)) == sorted(
        str(n) for n in range(20)
    )


def test_tasks_are_shuffled_by_the_seed_unless_in_order() -> None:
    rows = [row(str(task)) for task in range(20)]
    flat = [[r["task_id"] for s in steps(rows, 2, seed, False) for r in s] for seed in (0, 0, 1)]
    assert flat[0] == flat[1] != flat[2]
    ordered = steps(rows, 2, 0, in_order=True)
    assert [r["task_id"] for step in ordered for r in step] == [str(n) for n in range(20)]


def test_a_task_larger_than_a_step_is_one_step() -> None:
    made = steps([*(row("a", n) for n in range(10)), row("b")], 4, 0, in_order=True)
    assert [len(step) for step in made] == [10, 1]


def test_parts_count_what_is_shared_once() -> None:
    step = [row("a", n) for n in range(4)]  # a prompt of 10, and 8 texts of 4 behind it
    assert [len(part) for part in parts(step, 42, is_shared=True)] == [4]
    assert [len(part) for part in parts(step, 26, is_shared=True)] == [2, 2]
    assert [len(part) for part in parts(step, 56, is_shared=False)] == [2, 2]  # of 14 tokens each
    assert [len(part) for part in parts(step, 1, is_shared=True)] == [1, 1, 1, 1]


def test_both_sides_must_fit() -> None:
    assert fits(row("a"), 14)
    assert not fits(row("a"), 13)
    assert not fits({**row("a"), "rejected_ids": [1] * 5}, 14)
