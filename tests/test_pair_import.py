"""Pairs from elsewhere: read by line, kept away from held-out tasks, executed where known."""

import json
from pathlib import Path
from typing import Any

import pytest

from codelutra.config import RefineConfig
from codelutra.errors import CodeLutraError
from codelutra.pair_import import Checked, check_pairs, tasks_of_run
from codelutra.pair_reading import GivenPair, Problem, read_pairs
from codelutra.records import PreferencePair, Veto
from codelutra.reviews import Vetoes
from codelutra.tasks.quarantine import quarantine
from tests.pair_files import PROMPT, good, write_rows, write_set


def read(tmp_path: Path, *rows: Any) -> list[Any]:
    return list(read_pairs(write_rows(tmp_path / "pairs.jsonl", *rows)))


def reason(tmp_path: Path, row: Any) -> str:
    (found,) = read(tmp_path, row)
    assert isinstance(found, Problem)
    assert found.line == 1
    return found.reason


@pytest.fixture
def config(tmp_path: Path) -> RefineConfig:
    return RefineConfig(tasks=str(write_set(tmp_path / "set.jsonl")))


def check(config: RefineConfig, tmp_path: Path, *rows: Any, **options: Any) -> Checked:
    given = read_pairs(write_rows(tmp_path / "pairs.jsonl", *rows))
    options = {"vetoes": Vetoes(), "skip_bad": True, **options}
    return check_pairs(given, tasks_of_run(config), config, **options)


def refusal(config: RefineConfig, tmp_path: Path, **row: Any) -> str:
    checked = check(config, tmp_path, {"chosen": "result = 0", "rejected": "result = 1", **row})
    assert (checked.pairs, checked.num_refused) == ([], 1)
    return checked.problems[0].reason


def test_each_bad_row_is_named_by_its_line(tmp_path: Path) -> None:
    both = {"chosen": "a", "rejected": "b"}
    for row, message in (
        ("{", "not JSON (Expecting property name enclosed in double quotes at column 2)"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ({"chosen": "a"}, "`rejected` is missing"),
        ({"rejected": "a", "chosen": None}, "`chosen` is missing"),
        ({**both, "chosen": " \n"}, "`chosen` is empty"),
        ({**both, "chosen": 3}, "`chosen` is a number, not text"),
        ({**both, "chosen": {"text": "a"}}, "`chosen` is an object, not text"),
        ({**both, "task_id": 7}, "`task_id` is a number, not text"),
        ({**both, "prompt": True}, "`prompt` is true or false, not text"),
        ({**both, "rejected": " a\n"}, "`chosen` and `rejected` are the same program"),
        ({**both, "chosen": "a" * 200_001}, "`chosen` has 200,001 characters, more than 200,000"),
    ):
        assert reason(tmp_path, row) == message
    lines = read(tmp_path, {**both, "prompt": "p"}, "", "nonsense", {**both, "prompt": "p"})
    assert [one.line for one in lines] == [1, 3, 4]
    assert isinstance(lines[1], Problem)


def test_text_that_is_no_utf_8_or_too_long_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rest = json.dumps({"prompt": "p", "chosen": "a", "rejected": "b"}).encode()
    path.write_bytes(b"\xff\xfe\n" + b'"' + b"x" * (17 << 20) + b'"\n' + rest)
    first, second, third = read_pairs(path)
    assert first == Problem(1, "not UTF-8")
    assert second == Problem(2, "longer than 16 MiB")
    assert third == GivenPair(3, "", "p", "a", "b")


def test_conversations_of_one_question_and_one_answer_are_taken(tmp_path: Path) -> None:
    user = {"role": "user", "content": "p"}
    good_one, bad = ({"role": "assistant", "content": text} for text in "ab")
    explicit = {"prompt": [user], "chosen": [good_one], "rejected": [bad]}
    implicit = {"chosen": [user, good_one], "rejected": [user, bad]}
    wanted = [GivenPair(n, "", "p", "a", "b") for n in (1, 2)]
    assert read(tmp_path, explicit, implicit) == wanted
    system = {"role": "system", "content": "be brief"}
    assert reason(tmp_path, {**explicit, "prompt": [system, user]}) == (
        "`prompt` has the messages system + user: only user can be used"
    )
    turns = {**implicit, "chosen": [user, good_one, user, good_one]}
    assert "only assistant or user + assistant can be used" in reason(tmp_path, turns)
    other = {**implicit, "rejected": [{**user, "content": "q"}, bad]}
    assert reason(tmp_path, other) == "`chosen` and `rejected` answer different prompts"
    assert "`prompt` is another text" in reason(tmp_path, {**implicit, "prompt": "q"})
    assert "`chosen` is an object" in reason(
        tmp_path, {**explicit, "chosen": [{"role": "assistant", "content": {}}]}
    )


def test_a_parquet_file_says_the_same(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "pairs.parquet"
    rows = [{"prompt": "p", "chosen": "a", "rejected": r, "more": 1} for r in ("b", None, "a")]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert list(read_pairs(path)) == [
        GivenPair(1, "", "p", "a", "b"),
        Problem(2, "`rejected` is missing"),
        Problem(3, "`chosen` and `rejected` are the same program"),
    ]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CodeLutraError, match=r"pairs\.parquet, behind row 0: no Parquet"):
        list(read_pairs(path))


def test_a_file_that_is_none_is_refused_as_a_whole(tmp_path: Path) -> None:
    for name, message in (("a.csv", r"give a \.jsonl or a \.parquet"), ("a.jsonl", "is empty")):
        (tmp_path / name).write_text("\n")
        with pytest.raises(CodeLutraError, match=message):
            list(read_pairs(tmp_path / name))


@pytest.mark.slow
def test_both_programs_of_a_known_task_are_executed(config: RefineConfig, tmp_path: Path) -> None:
    checked = check(
        config,
        tmp_path,
        good(0),
        good(1, chosen="result = 3"),
        good(2, rejected="result = 2 * 2"),
        good(3, rejected="result = ("),
        {"prompt": PROMPT.format(4), "chosen": "result = 8", "rejected": "result = 1 / 0"},
        good(5, chosen="import time; time.sleep(0); result = 10", rejected="while True: pass"),
    )
    assert [(p.line, p.pair.task_id, p.rejected_verdict) for p in checked.pairs] == [
        (1, "train-0", "wrong_result"),
        (4, "train-3", "syntax_error"),
        (5, "train-4", "runtime_error"),
        (6, "train-5", "timeout"),
    ]
    assert {p.pair.prompt for p in checked.pairs} == {""}
    wrong, right = checked.problems
    assert (wrong.line, right.line) == (2, 3)
    assert wrong.reason.startswith("`chosen` is wrong result (")
    assert right.reason.startswith("`rejected` is correct (")


def test_a_gold_that_fails_says_nothing_of_the_programs(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    write_set(path)
    path.write_text(path.read_text().replace('"result = 0"', '"result = 1 / 0"'))
    message = refusal(RefineConfig(tasks=str(path)), tmp_path, task_id="train-0")
    assert message.startswith("`chosen` could not be judged: harness error (gold fails")


def test_pairs_of_tasks_that_measure_are_refused(config: RefineConfig, tmp_path: Path) -> None:
    worthless = "training on it would make its score worthless"
    by_id = refusal(config, tmp_path, task_id="heldout-0")
    assert by_id == f"task 'heldout-0' is held out: {worthless}"
    by_id = refusal(config, tmp_path, task_id="validation-0", prompt="anything")
    assert by_id == f"task 'validation-0' is a validation task: {worthless}"
    by_text = refusal(config, tmp_path, prompt=PROMPT.format(7).replace(" ", "  "))
    assert by_text == f"its prompt is that of task 'heldout-0', held out: {worthless}"
    named = refusal(config, tmp_path, prompt=PROMPT.format(6), task_id="mine")
    assert named.startswith("its prompt is that of task 'validation-0', a validation task")


def test_validation_tasks_that_the_run_drew_itself_are_refused(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set.jsonl", train=20)
    rows = [row for row in path.read_text().splitlines() if "validation-" not in row]
    path.write_text("\n".join(rows) + "\n")
    config = RefineConfig(tasks=str(path))
    tasks = tasks_of_run(config)
    drawn = [task.task_id for task in tasks.by_id.values() if task.split == "validation"]
    assert drawn
    assert all(name.startswith("train-") for name in drawn)
    assert "is a validation task" in refusal(config, tmp_path, task_id=drawn[0])


def test_a_task_that_the_run_does_not_draw_for_is_executed_and_keeps_its_prompt(
    tmp_path: Path,
) -> None:
    config = RefineConfig(tasks=str(write_set(tmp_path / "set.jsonl")), max_train=1)
    checked = check(config, tmp_path, good(0), good(5))
    assert [p.pair.prompt for p in checked.pairs] == ["", PROMPT.format(5)]
    assert [p.rejected_verdict for p in checked.pairs] == ["wrong_result", "wrong_result"]


def test_an_unknown_task_keeps_its_own_prompt(config: RefineConfig, tmp_path: Path) -> None:
    both = {"chosen": "anything", "rejected": "else"}
    checked = check(
        config,
        tmp_path,
        {**both, "prompt": "Say it."},
        {**both, "prompt": "Say more.", "task_id": "mine"},
        {**both, "prompt": "Another.", "task_id": "mine"},
        {**both, "task_id": "theirs"},
        both,
    )
    first, second = checked.pairs
    assert first.pair.task_id.startswith("imported-")
    assert (first.pair.prompt, second.pair.prompt) == ("Say it.", "Say more.")
    assert (second.pair.task_id, second.rejected_verdict) == ("mine", "")
    assert [(p.line, p.reason) for p in checked.problems] == [
        (3, "task_id 'mine' has another prompt in an earlier pair"),
        (4, "task_id 'theirs' is not in the run's task set: add its `prompt`"),
        (5, "`prompt` is missing"),
    ]


def test_a_prompt_that_is_not_the_tasks_is_refused(config: RefineConfig, tmp_path: Path) -> None:
    message = refusal(config, tmp_path, task_id="train-0", prompt="Something else")
    assert message == "its `prompt` is not that of task 'train-0': leave one of them out"
    path = Path(config.tasks)
    path.write_text(path.read_text().replace(PROMPT.format(1)[:-1], PROMPT.format(0)[:-1]))
    message = refusal(config, tmp_path, prompt=PROMPT.format(0))
    assert message == "its prompt is that of several tasks: say which by its `task_id`"


def test_quarantine_and_vetoes_hold(config: RefineConfig, tmp_path: Path) -> None:
    quarantine(config.tasks, {"train-1": "bad"})
    veto = Veto("train-2", "result = 2 + 2", "other", "wrong_gold")
    checked = check(config, tmp_path, good(0), good(1), good(2), vetoes=Vetoes([veto]))
    assert [one.line for one in checked.pairs] == [1]
    assert [one.reason for one in checked.problems] == [
        "task 'train-1' is in quarantine",
        "a person has vetoed it, or one of its programs, in this run",
    ]


def test_what_the_run_has_already_is_skipped_and_counted(
    config: RefineConfig, tmp_path: Path
) -> None:
    free = {"prompt": "Say it.", "chosen": "a", "rejected": "b"}
    known = [
        PreferencePair("train-0", "result = 0 + 0\n", "result = -1", 3, 4),
        PreferencePair("mine", "a", "b", None, None, "Say it."),
    ]
    checked = check(config, tmp_path, good(0), good(1), good(1), free, known=known)
    assert (checked.num_duplicates, checked.num_refused) == (3, 0)
    assert [one.line for one in checked.pairs] == [2]


def test_nothing_is_executed_when_a_row_is_bad(config: RefineConfig, tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    options = {"report": lambda done, total: reports.append((done, total))}
    checked = check(config, tmp_path, good(0), "{", skip_bad=False, **options)
    assert (checked.pairs, checked.num_refused, reports) == ([], 1, [])
    assert len(check(config, tmp_path, good(0), "{", **options).pairs) == 1
    assert reports == [(0, 1), (1, 1)]


def test_the_list_of_problems_has_an_end(config: RefineConfig, tmp_path: Path) -> None:
    checked = check(config, tmp_path, *["{"] * 1000)
    assert (checked.num_refused, len(checked.problems)) == (1000, 200)


def test_what_is_executed_is_what_is_kept(config: RefineConfig, tmp_path: Path) -> None:
    """A database takes neither NUL nor half a surrogate: they go before anything is run."""
    row = {"prompt": "p\ud800", "chosen": "a\0", "rejected": "b"}
    (found,) = check(config, tmp_path, row).pairs
    assert (found.pair.prompt, found.pair.chosen) == ("p?", "a\ufffd")
