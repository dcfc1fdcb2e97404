"""Train and held-out never share a group."""

from collections import Counter

from codelutra.tasks.splits import draw_splits


def share(groups: list[str], splits: dict[str, str]) -> float:
    return sum(splits[group] == "heldout" for group in groups) / len(groups)


def test_single_tasks_hit_the_share_exactly() -> None:
    groups = [str(n) for n in range(1000)]
    assert share(groups, dict(draw_splits(groups, 0.3, 0))) == 0.3


def test_large_groups_come_near_it_and_both_sides_have_some() -> None:
    groups = [
        name for name, size in {"a": 50, "b": 30, "c": 15, "d": 5}.items() for _ in range(size)
    ]
    for seed in range(20):
        splits = dict(draw_splits(groups, 0.3, seed))
        assert set(splits.values()) == {"train", "heldout"}
        assert 0.05 <= share(groups, splits) <= 0.5


def test_two_groups_are_one_each_and_one_stays_in_train() -> None:
    assert Counter(draw_splits(["a", "b"], 0.3, 0).values()) == {"train": 1, "heldout": 1}
    assert draw_splits(["a", "a"], 0.3, 0) == {"a": "train"}


def test_the_seed_decides_and_the_order_of_tasks_does_not() -> None:
    groups = [str(n) for n in range(50)]
    assert draw_splits(groups, 0.3, 1) == draw_splits(groups[::-1], 0.3, 1)
    assert draw_splits(groups, 0.3, 1) != draw_splits(groups, 0.3, 2)


def test_the_ends_of_the_share() -> None:
    groups = ["a", "b", "c"]
    assert set(draw_splits(groups, 0.0, 0).values()) == {"train"}
    assert Counter(draw_splits(groups, 1.0, 0).values())["heldout"] >= 2
