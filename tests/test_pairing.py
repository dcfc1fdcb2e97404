from dataclasses import replace

from codelutra.config import PairingConfig
from codelutra.pairing import build_pairs
from codelutra.records import Sample, Verdict, VerdictKind
from codelutra.tasks import Task

TASK = Task(task_id="t", kind="sql", prompt="p", gold="GOLD", database="x")
CORRECT, WRONG = VerdictKind.CORRECT, VerdictKind.WRONG_RESULT


def samples(*kinds_and_texts: tuple[VerdictKind, str]) -> list[Sample]:
    return [Sample("t", i, text, Verdict(kind)) for i, (kind, text) in enumerate(kinds_and_texts)]


def pairs(*rows: tuple[VerdictKind, str], **config: object) -> list[tuple[str, str]]:
    built = build_pairs({"t": TASK}, samples(*rows), PairingConfig(**config), seed=0)  # type: ignore[arg-type]
    return [(pair.chosen, pair.rejected) for pair in built]


def test_every_correct_program_meets_every_incorrect_one_once() -> None:
    found = pairs((CORRECT, "a"), (WRONG, "x"), (CORRECT, "b"), (WRONG, "y"))
    assert sorted(found) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]


def test_at_most_k_distinct_pairs_a_task() -> None:
    rows = [(CORRECT, f"c{i}") for i in range(5)] + [(WRONG, f"w{i}") for i in range(5)]
    found = pairs(*rows, max_pairs=10)
    assert len(found) == len(set(found)) == 10


def test_duplicates_count_once() -> None:
    assert pairs((CORRECT, "a"), (CORRECT, "a "), (WRONG, "x"), (WRONG, "x")) == [("a", "x")]


def test_an_unsolved_task_pairs_its_gold_when_told_to() -> None:
    assert pairs((WRONG, "x")) == [("GOLD", "x")]
    assert pairs((WRONG, "x"), gold_if_unsolved=False) == []


def test_a_gold_pair_names_no_chosen_sample() -> None:
    (pair,) = build_pairs({"t": TASK}, samples((WRONG, "x")), PairingConfig(), seed=0)
    assert (pair.chosen_index, pair.rejected_index) == (None, 0)


def test_a_task_without_mistakes_makes_no_pair() -> None:
    assert pairs((CORRECT, "a"), (CORRECT, "b")) == []


def test_a_harness_error_is_in_no_pair() -> None:
    assert pairs((CORRECT, "a"), (VerdictKind.HARNESS_ERROR, "x")) == []


def test_a_flaky_sample_is_on_neither_side() -> None:
    rows = samples((CORRECT, "a"), (CORRECT, "b"), (WRONG, "x"), (WRONG, "y"))
    for index in (0, 2):
        verdict = replace(rows[index].verdict or Verdict(CORRECT), flaky=True)
        rows[index] = replace(rows[index], verdict=verdict)
    built = build_pairs({"t": TASK}, rows, PairingConfig(), seed=0)
    assert [(pair.chosen, pair.rejected) for pair in built] == [("b", "y")]


def test_the_seed_decides_the_draw() -> None:
    rows = [(CORRECT, f"c{i}") for i in range(5)] + [(WRONG, f"w{i}") for i in range(5)]
    draws = [
        build_pairs({"t": TASK}, samples(*rows), PairingConfig(max_pairs=3), seed)
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]
