"""Verdicts: what a person reads, how often a program runs, which labels are flaky."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codelutra.config import SandboxConfig
from codelutra.errors import StopRequested
from codelutra.grading import MAX_DETAIL, Grader, grade, one_line
from codelutra.records import Sample, Verdict, VerdictKind
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.sandbox.sql_runner import Table
from codelutra.tasks.task import Task

SQL = Task(task_id="s", kind="sql", prompt="p", gold="SELECT a FROM t", database="x.db")
ONE = ExecutionResult("ok", Table(1, [(1,)]))


@pytest.mark.parametrize("outcome", ["syntax_error", "runtime_error", "timeout", "forbidden"])
def test_a_failed_program_keeps_its_outcome_and_its_words(outcome: Any) -> None:
    result = ExecutionResult(outcome, None, "why\nso\x1b[2J", 1.5)
    verdict = grade(SQL, result, ONE)
    assert verdict == Verdict(VerdictKind(outcome), "why so\\x1b[2J", 1.5)


def test_a_failing_gold_is_our_fault() -> None:
    verdict = grade(SQL, ONE, ExecutionResult("timeout", None, "used more than 5 s"))
    assert verdict.kind == "harness_error"
    assert verdict.detail == "gold fails: timeout: used more than 5 s"


def test_details_are_one_printable_line() -> None:
    assert one_line("a\r\n\t\0\u202e\ud800ü") == "a \\t\\x00\\u202e\\ud800ü"


def test_a_long_detail_keeps_its_end_where_the_line_is() -> None:
    detail = one_line("ValueError: " + "x" * 5000 + " (line 17)")
    assert len(detail) == MAX_DETAIL
    assert detail.startswith("ValueError: xxx")
    assert detail.endswith("xxx (line 17)")


def test_a_correct_verdict_says_what_came_out() -> None:
    assert grade(SQL, ONE, ONE).detail == "1 row (1), as expected"
    none = ExecutionResult("ok", Table(2, []))
    assert grade(SQL, none, none).detail == "0 rows of 2 columns, as expected"
    python = Task(task_id="p", kind="python", prompt="p", gold="result = 1")
    answer = ExecutionResult("ok", ["list", [1, "a"]])
    assert grade(python, answer, answer).detail == "[1, 'a'], as expected"


@pytest.mark.parametrize(
    ("match", "kinds"),
    [
        ("exact", ["wrong_result", "wrong_result", "wrong_result"]),
        ("bird", ["correct", "wrong_result", "correct"]),
        ("spider", ["wrong_result", "correct", "wrong_result"]),
    ],
)
def test_a_task_says_whose_rules_count(match: Any, kinds: list[str]) -> None:
    task = SQL.model_copy(update={"match": match})
    gold = ExecutionResult("ok", Table(2, [(1, "a"), (1, "a")]))
    answers = [[(1, "a")], [("a", 1), ("a", 1)], [(1, "a"), (1, "a"), (1.0, "a")]]
    results = [ExecutionResult("ok", Table(2, rows)) for rows in answers]
    assert [grade(task, result, gold).kind for result in results] == kinds


class CountingSandbox(Sandbox):
    """A real sandbox that notes every program it runs and may change what came out."""

    def __init__(self, config: SandboxConfig) -> None:
        super().__init__(config)
        self.calls: list[list[str]] = []
        self.change: Callable[[str, int], ExecutionResult | None] = lambda source, run: None

    def execute(self, programs: Sequence[Program], *args: Any, **kwargs: Any) -> Any:
        if programs:
            self.calls.append([program.source for program in programs])
        results = super().execute(programs, *args, **kwargs)
        runs = [sum(call.count(p.source) for call in self.calls) for p in programs]
        changed = [self.change(p.source, run) for p, run in zip(programs, runs, strict=True)]
        return [new or old for new, old in zip(changed, results, strict=True)]


@pytest.fixture
def counting() -> Iterator[CountingSandbox]:
    with CountingSandbox(SandboxConfig(timeout_s=0.5, workers=1)) as opened:
        yield opened


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t AS SELECT 1 AS a UNION ALL SELECT 1 UNION ALL SELECT 2")
    connection.commit()
    connection.close()
    return Task(
        task_id="t", kind="sql", prompt="p", gold="SELECT DISTINCT a FROM t", database=str(path)
    )


def samples(*completions: str) -> list[Sample]:
    return [Sample("t", index, text) for index, text in enumerate(completions)]


def kinds(verdicts: dict[Any, Verdict]) -> list[str]:
    return [str(verdict.kind) for verdict in verdicts.values()]


def test_every_sample_gets_its_verdict_and_each_program_runs_once(
    counting: CountingSandbox, task: Task
) -> None:
    texts = [
        "SELECT DISTINCT a FROM t",
        "SELECT a FROM t",
        "SELECT a FROM t",
        "",
        "SELEC",
        "DROP TABLE t",
    ]
    verdicts = Grader(counting).grade({"t": task}, samples(*texts))
    assert list(verdicts) == [("t", index) for index in range(6)]
    assert kinds(verdicts) == [
        *("correct", "wrong_result", "wrong_result"),
        *("no_code", "syntax_error", "forbidden"),
    ]
    assert sorted(counting.calls[0]) == sorted(set(texts) - {""})


def test_each_sample_keeps_the_rule_by_which_its_program_was_found(
    counting: CountingSandbox, task: Task
) -> None:
    texts = ["SELECT 1", "```sql\nSELECT 1\n```", "I cannot do that.", "<think>", ""]
    grader = Grader(counting)
    for _ in range(2):  # what is remembered is the verdict, not the rule
        verdicts = grader.grade({"t": task}, samples(*texts))
        assert [(str(verdict.kind), verdict.extraction) for verdict in verdicts.values()] == [
            ("wrong_result", "bare"),
            ("wrong_result", "fenced"),
            ("no_code", "only_prose"),
            ("no_code", "endless_thought"),
            ("no_code", "empty"),
        ]
    assert [call.count("SELECT 1") for call in counting.calls] == [1]


def test_golds_and_programs_seen_before_do_not_run_again(
    counting: CountingSandbox, task: Task
) -> None:
    grader = Grader(counting)
    first, second = samples("SELECT 1", "SELECT DISTINCT a FROM t"), samples("SELECT 1", "SELECT 2")
    grader.grade({"t": task}, first)
    assert kinds(grader.grade({"t": task}, second)) == ["wrong_result", "wrong_result"]
    assert [sorted(call) for call in counting.calls] == [["SELECT 1", task.gold], ["SELECT 2"]]


def test_one_program_has_a_verdict_for_each_task(counting: CountingSandbox, task: Task) -> None:
    other = task.model_copy(update={"task_id": "u", "gold": "SELECT 1"})
    grader, rows = Grader(counting), [*samples("SELECT 1"), Sample("u", 0, "SELECT 1")]
    assert kinds(grader.grade({"t": task, "u": other}, rows)) == ["wrong_result", "correct"]


def test_our_own_faults_are_tried_again(counting: CountingSandbox, task: Task) -> None:
    lost = ExecutionResult("harness_error", None, "lost")
    counting.change = lambda source, run: lost if source == "SELECT 3" and run < 3 else None
    grader = Grader(counting)
    assert kinds(grader.grade({"t": task}, samples("SELECT 3"))) == ["harness_error"]
    assert kinds(grader.grade({"t": task}, samples("SELECT 3"))) == ["wrong_result"]


def test_no_samples_no_verdicts(counting: CountingSandbox) -> None:
    assert Grader(counting).grade({}, []) == {}


def test_a_failing_gold_spoils_its_task_only(counting: CountingSandbox, task: Task) -> None:
    bad = task.model_copy(update={"task_id": "b", "gold": "SELECT nope FROM t"})
    rows = [*samples("SELECT DISTINCT a FROM t"), Sample("b", 0, "SELECT 1")]
    verdicts = Grader(counting).grade({"t": task, "b": bad}, rows)
    assert kinds(verdicts) == ["correct", "harness_error"]
    assert verdicts["b", 0].detail == "gold fails: runtime_error: no such column: nope"


@pytest.mark.parametrize(
    "first",
    [
        ExecutionResult("timeout", None, "used more than 5 s"),
        ExecutionResult("harness_error", None, "lost"),
        ExecutionResult("runtime_error", None, "MemoryError (line 1)"),
        ExecutionResult("runtime_error", None, "killed by SIGKILL without a result"),
    ],
    ids=lambda result: result.detail,
)
def test_what_the_machine_may_have_caused_is_run_again_alone(
    counting: CountingSandbox, task: Task, first: ExecutionResult
) -> None:
    text = "SELECT 1 UNION SELECT 2"
    counting.change = lambda source, run: first if (source, run) == (text, 1) else None
    verdicts = Grader(counting).grade({"t": task}, samples(text, "SELECT 3"))
    assert kinds(verdicts) == ["correct", "wrong_result"]
    assert counting.calls[1:] == [[text]]
    is_label = first.outcome != "harness_error"
    assert [verdict.flaky for verdict in verdicts.values()] == [is_label, False]


def test_a_second_failure_counts(counting: CountingSandbox, task: Task) -> None:
    lost = ExecutionResult("harness_error", None, "lost")
    counting.change = lambda source, run: lost if source == "SELECT 3" else None
    assert kinds(Grader(counting).grade({"t": task}, samples("SELECT 3"))) == ["harness_error"]
    assert [call.count("SELECT 3") for call in counting.calls] == [1, 1]


@pytest.mark.parametrize(
    ("outcomes", "kind", "flaky"),
    [
        (("timeout", "timeout"), "timeout", False),
        (("timeout", "runtime_error"), "runtime_error", True),
        (("runtime_error", "timeout"), "timeout", True),
        (("runtime_error", "runtime_error"), "runtime_error", False),
        (("harness_error", "timeout"), "timeout", False),
        (("timeout", "harness_error"), "harness_error", False),
    ],
)
def test_a_verdict_that_flips_when_alone_is_flaky(
    counting: CountingSandbox, task: Task, outcomes: tuple[Any, Any], kind: str, flaky: bool
) -> None:
    results = [ExecutionResult(outcome, None, "MemoryError") for outcome in outcomes]
    counting.change = lambda source, run: results[run - 1] if source == "SELECT 3" else None
    grader = Grader(counting)
    for _ in range(2 if kind != "harness_error" else 1):  # what is remembered stays flaky
        verdict = grader.grade({"t": task}, samples("SELECT 3"))["t", 0]
        assert (verdict.kind, verdict.flaky) == (kind, flaky)


def test_spider_tasks_run_as_spiders_evaluator_runs_them(
    counting: CountingSandbox, task: Task
) -> None:
    spider = task.model_copy(update={"match": "spider"})
    verdicts = Grader(counting).grade({"t": spider}, samples("SELECT a FROM t WHERE a > = 1"))
    assert kinds(verdicts) == ["correct"]
    assert sorted(counting.calls[0]) == ["SELECT  a FROM t", "SELECT a FROM t WHERE a >= 1"]


def test_a_query_of_several_lines_names_the_line_of_its_error(
    counting: CountingSandbox, task: Task
) -> None:
    texts = ["SELECT a\nFROM t WHRE a", "SELECT nope\nFROM t", "SELECT a FROM nope", "DROP TABLE t"]
    details = [v.detail for v in Grader(counting).grade({"t": task}, samples(*texts)).values()]
    assert details == [
        'near "a": syntax error (line 2)',
        "no such column: nope (line 1)",
        "no such table: nope",
        "DROP TABLE is not allowed",
    ]


def test_a_missing_database_is_named(counting: CountingSandbox, task: Task) -> None:
    lost = task.model_copy(update={"database": "/nowhere/x.db"})
    verdict = Grader(counting).grade({"t": lost}, samples("SELECT 1"))["t", 0]
    assert verdict.kind == "harness_error"
    assert "database /nowhere/x.db: No such file" in verdict.detail


def test_stopping_reaches_the_caller(counting: CountingSandbox, task: Task) -> None:
    with pytest.raises(StopRequested):
        Grader(counting).grade({"t": task}, samples("SELECT 1"), lambda: True)
