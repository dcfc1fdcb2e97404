"""Verdicts: what counts as equal, what a person reads, how often a program runs."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from codelutra.config import SandboxConfig
from codelutra.errors import StopRequested
from codelutra.grading import MAX_DETAIL, Grader, grade, is_ordered, one_line
from codelutra.records import Sample, Verdict, VerdictKind
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.sandbox.sql_runner import Table
from codelutra.tasks.task import Task

SQL = Task(task_id="s", kind="sql", prompt="p", gold="SELECT a FROM t", database="x.db")
SORTED = Task(task_id="o", kind="sql", prompt="p", gold="SELECT a FROM t ORDER BY a")
PYTHON = Task(task_id="p", kind="python", prompt="p", gold="result = 1")
NAN = float("nan")


def table(*rows: tuple[Any, ...], columns: int | None = None) -> ExecutionResult:
    width = columns if columns is not None else len(rows[0]) if rows else 1
    return ExecutionResult("ok", Table(width, list(rows)))


def verdict_of_rows(expected: Sequence[Any], got: Sequence[Any], task: Task = SQL) -> Verdict:
    return grade(task, table(*got), table(*expected))


EQUAL_ROWS = {
    "order": ([(1,), (2,)], [(2,), (1,)]),
    "int and float": ([(1, 2.0)], [(1.0, 2)]),
    "last bits": ([(0.6,)], [(0.6000000000000001,)]),
    "tolerance": ([(1e6,)], [(1e6 + 0.5,)]),
    "tiny": ([(0.0,)], [(1e-10,)]),
    "infinity": ([(float("inf"),)], [(float("inf"),)]),
    "null": ([(None,)], [(None,)]),
    "last bits decide the sort": (
        [(0.6, "a"), (0.6000000000000001, "b")],
        [(0.6, "b"), (0.6000000000000001, "a")],
    ),
    "a rounding edge decides the sort": (
        [(0.50000049999, 2.0), (0.5000005, 1.0)],
        [(0.5000005, 2.0), (0.50000049999, 1.0)],
    ),
    "mixed types": ([(None,), ("a",), (1,), (b"x",)], [(b"x",), (1,), (None,), ("a",)]),
}
UNEQUAL_ROWS = {
    "multiplicity": ([(1,), (1,), (2,)], [(1,), (2,), (2,)]),
    "one more": ([(1,)], [(1,), (1,)]),
    "text and number": ([(1,)], [("1",)]),
    "bytes and text": ([("1",)], [(b"1",)]),
    "null and zero": ([(None,)], [(0,)]),
    "null and empty": ([(None,)], [("",)]),
    "column order": ([(1, "a")], [("a", 1)]),
    "extra column": ([(1,)], [(1, 1)]),
    "beyond tolerance": ([(1.0,)], [(1.00001,)]),
    "big ints": ([(2**53,)], [(2**53 + 1,)]),
    "case": ([("A",)], [("a",)]),
}


@pytest.mark.parametrize("name", EQUAL_ROWS)
def test_equal_rows_are_correct(name: str) -> None:
    expected, got = EQUAL_ROWS[name]
    assert verdict_of_rows(expected, got) == Verdict(VerdictKind.CORRECT)
    assert verdict_of_rows(got, expected).kind == "correct"


@pytest.mark.parametrize("name", UNEQUAL_ROWS)
def test_unequal_rows_are_wrong_both_ways(name: str) -> None:
    expected, got = UNEQUAL_ROWS[name]
    assert verdict_of_rows(expected, got).kind == "wrong_result"
    assert verdict_of_rows(got, expected).kind == "wrong_result"
    assert verdict_of_rows(expected, got).detail


def test_order_counts_under_the_golds_outermost_order_by() -> None:
    verdict = verdict_of_rows([(1,), (2,)], [(2,), (1,)], SORTED)
    assert verdict.detail == "wrong order: row 1 should be (1), got (2)"
    assert verdict_of_rows([(1,), (2.0,)], [(1.0,), (2,)], SORTED).kind == "correct"


@pytest.mark.parametrize(
    ("gold", "ordered"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("SELECT a FROM t UNION SELECT 1 ORDER BY 1 LIMIT 3", True),
        ("WITH x AS (SELECT 1 ORDER BY 1) SELECT * FROM x", False),
        ("SELECT * FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT rank() OVER (ORDER BY a) FROM t", False),
        ("SELECT 'order by' FROM t", False),
        ("SELECT ( ORDER BY a", True),
    ],
)
def test_only_the_outermost_order_by_counts(gold: str, ordered: bool) -> None:
    assert is_ordered(gold) is ordered


def test_no_rows_equal_no_rows_of_as_many_columns() -> None:
    assert grade(SQL, table(columns=2), table(columns=2)).kind == "correct"
    verdict = grade(SQL, table(columns=1), table(columns=2))
    assert verdict.detail == "expected 2 columns, got 1"
    assert grade(SQL, table((1,)), table(columns=1)).detail == "expected 0 rows, got 1"


def test_a_wrong_row_is_shown() -> None:
    verdict = verdict_of_rows([("Oslo", None), ("Rome", 2.5)], [("Rome", 2.5), ("Oslo", 0)])
    assert verdict.detail == "expected a row ('Oslo', NULL), got ('Oslo', 0)"


def test_large_tables_are_compared_quickly() -> None:
    rows = [(n / 7, f"name {n % 10}") for n in range(10_000)]
    nearly = [(value * (1 + 1e-12), name) for value, name in reversed(rows)]
    assert verdict_of_rows(rows, nearly).kind == "correct"
    assert verdict_of_rows(rows, [*nearly[:-1], (5.0, "name 0")]).kind == "wrong_result"


@pytest.mark.parametrize("outcome", ["syntax_error", "runtime_error", "timeout", "forbidden"])
def test_a_failed_program_keeps_its_outcome_and_its_words(outcome: Any) -> None:
    result = ExecutionResult(outcome, None, "why\nso\x1b[2J", 1.5)
    verdict = grade(SQL, result, table((1,)))
    assert verdict == Verdict(VerdictKind(outcome), "why\\nso\\x1b[2J", 1.5)


def test_a_failing_gold_is_our_fault() -> None:
    verdict = grade(SQL, table((1,)), ExecutionResult("timeout", None, "used more than 5 s"))
    assert verdict.kind == "harness_error"
    assert verdict.detail == "gold fails: timeout: used more than 5 s"


def test_details_are_one_printable_line() -> None:
    assert one_line("a\r\n\t\0\u202e\ud800ü") == "a\\r\\n\\t\\x00\\u202e\\ud800ü"
    assert len(one_line("x" * 5000)) == MAX_DETAIL


# --- Python answers, through a real sandbox -------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(timeout_s=0.5, workers=1)) as opened:
        yield opened


SETUP = """
import datetime, numpy as np, pandas as pd
df = pd.DataFrame({"k": list("aab"), "v": [1, 2, 4], "w": [0.5, np.nan, 1.5]})
nan = float("nan")
"""
EQUAL_ANSWERS = [
    ("3", "np.int64(3)"),
    ("0.6", "np.float64(0.1 + 0.5000000000000001)"),
    ("nan", "np.float32('nan')"),
    ("True", "np.bool_(True)"),
    ("[1, (2, None)]", "[np.int8(1), (2, None)]"),
    ("{'a': 1, 'b': [2]}", "{'b': [2], 'a': 1}"),
    ("{1, 2, 3}", "{3, 2, 1}"),
    ("{0.6, 'x'}", "{'x', 0.6000000000000001}"),
    ("{0.6: 1}", "{0.6000000000000001: 1}"),
    ("np.array([1.0, nan])", "np.array([1.0000000001, nan])"),
    ("np.array([1, 2])", "np.array([1, 2], dtype='uint8')"),
    ("df.groupby('k').v.sum()", "df.groupby('k')['v'].agg('sum').rename('x')"),
    ("df[df.v > 1].reset_index(drop=True)", "df.query('v > 1').reset_index(drop=True).copy()"),
    ("df.w", "pd.Series([0.5, None, 1.5])"),
    ("df.k", "df.k.astype(object)"),
    ("df.groupby('k').agg({'v': ['min', 'max']})", "df.groupby('k')[['v']].agg(['min', 'max'])"),
    ("pd.Series([1, None], dtype='Int64')", "pd.Series([1, pd.NA], dtype='Int64')"),
    ("pd.to_datetime(['2020-01-01'])", "pd.DatetimeIndex(np.array(['2020-01-01'], 'M8[s]'))"),
    ("pd.Timestamp('2020')", "pd.to_datetime('2020-01-01')"),
    ("datetime.timedelta(days=1)", "datetime.timedelta(hours=24)"),
]
UNEQUAL_ANSWERS = [
    ("1", "True", "expected 1, got True"),
    ("1", "1.0", "expected 1, got 1.0"),
    ("1", "'1'", "expected 1, got '1'"),
    ("1", "nan", "expected 1, got nan"),
    ("1", "None", "expected 1, got None"),
    ("[1, 2]", "(1, 2)", "expected [1, 2], got (1, 2)"),
    ("[1, [2, 3]]", "[1, [2, 4]]", "[1][1]: expected 3, got 4"),
    ("[1]", "[1, 2]", "expected 1 element, got 2: [1, 2]"),
    ("'a'", "b'a'", "expected 'a', got b'a'"),
    ("{1}", "frozenset({1})", "expected {1}, got {1}"),
    ("{1, 2}", "{1, 3}", "expected an element 2, got {1, 3}"),
    ("{1}", "{1, 3}", "unexpected element 3"),
    ("{'a': 1}", "{'a': 2}", "['a']: expected 1, got 2"),
    ("{'a': 1}", "{'b': 1}", "expected a key 'a', got {'b': 1}"),
    ("{1: 0}", "{True: 0}", "expected a key 1, got {True: 0}"),
    ("np.arange(4)", "np.arange(4).reshape(2, 2)", "expected an array of shape (4,), got (2, 2)"),
    ("np.arange(2)", "np.arange(2.0)", "array element: expected dtype int, got float"),
    ("np.arange(2)", "[0, 1]", "expected an array of shape (2,), got [0, 1]"),
    ("np.array([1, 2])", "np.array([1, 3])", "array element 1: expected 2, got 3"),
    ("df.v", "df.w", "expected dtype int, got float"),
    ("df.v", "df.v.to_frame()", "expected a series of 3, got a frame of 3 rows and 1 columns"),
    ("df.v", "df.v.sort_values(ascending=False)", "index 0: expected 0, got 2"),
    ("df.w", "df.w.fillna(0)", "row 1: expected nan, got 0.0"),
    ("df.v", "df.v.head(2)", "expected a series of 3, got 2"),
    ("df[['k', 'v']]", "df[['v', 'k']]", "column name 0: expected 'k', got 'v'"),
    ("df[['v']]", "df[['v']] + 1", "column 'v' row 0: expected 1, got 2"),
    ("df", "df[['k']]", "expected a frame of (3, 3) rows and columns, got (3, 1)"),
    ("pd.Timestamp('2020')", "pd.Timestamp('2021')", None),
    ("pd.Timestamp('2020')", "datetime.datetime(2020, 1, 1)", None),
    ("pd.Series([1])", "pd.Series(['1'])", None),
]


def grade_answers(sandbox: Sandbox, expected: str, got: str) -> Verdict:
    gold, result = sandbox.execute(
        [Program("python", f"result = {source}", setup=SETUP) for source in (expected, got)]
    )
    return grade(PYTHON, result, gold)


@pytest.mark.parametrize(("expected", "got"), EQUAL_ANSWERS)
def test_equal_answers_are_correct(sandbox: Sandbox, expected: str, got: str) -> None:
    assert grade_answers(sandbox, expected, got).detail == ""
    assert grade_answers(sandbox, got, expected).kind == "correct"


@pytest.mark.parametrize(("expected", "got", "detail"), UNEQUAL_ANSWERS)
def test_unequal_answers_are_wrong_and_say_where(
    sandbox: Sandbox, expected: str, got: str, detail: str | None
) -> None:
    verdict = grade_answers(sandbox, expected, got)
    assert verdict.kind == "wrong_result"
    assert verdict.detail == detail or (detail is None and verdict.detail)


# --- Grader ---------------------------------------------------------------------------------


class CountingSandbox(Sandbox):
    """A real sandbox that notes every program it runs and may change what came out."""

    def __init__(self, config: SandboxConfig) -> None:
        super().__init__(config)
        self.calls: list[list[str]] = []
        self.change: Callable[[str, int], ExecutionResult | None] = lambda source, run: None

    def execute(self, programs: Sequence[Program], *args: Any, **kwargs: Any) -> Any:
        self.calls.append([program.source for program in programs])
        results = super().execute(programs, *args, **kwargs)
        runs = [sum(call.count(p.source) for call in self.calls) for p in programs]
        changed = [self.change(p.source, run) for p, run in zip(programs, runs, strict=True)]
        return [new or old for new, old in zip(changed, results, strict=True)]


@pytest.fixture
def counting(sandbox: Sandbox) -> Iterator[CountingSandbox]:
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


def test_a_second_failure_counts(counting: CountingSandbox, task: Task) -> None:
    lost = ExecutionResult("harness_error", None, "lost")
    counting.change = lambda source, run: lost if source == "SELECT 3" else None
    assert kinds(Grader(counting).grade({"t": task}, samples("SELECT 3"))) == ["harness_error"]
    assert [call.count("SELECT 3") for call in counting.calls] == [1, 1]


def test_a_missing_database_is_named(counting: CountingSandbox, task: Task) -> None:
    lost = task.model_copy(update={"database": "/nowhere/x.db"})
    verdict = Grader(counting).grade({"t": lost}, samples("SELECT 1"))["t", 0]
    assert verdict.kind == "harness_error"
    assert "database /nowhere/x.db: No such file" in verdict.detail


def test_stopping_reaches_the_caller(counting: CountingSandbox, task: Task) -> None:
    with pytest.raises(StopRequested):
        Grader(counting).grade({"t": task}, samples("SELECT 1"), lambda: True)
