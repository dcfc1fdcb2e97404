"""Two Python answers out of a real sandbox: what counts as equal, and where they differ."""

from collections.abc import Iterator

import pytest

from codelutra.config import SandboxConfig
from codelutra.grading import grade
from codelutra.records import Verdict
from codelutra.sandbox import Program, Sandbox
from codelutra.tasks.task import Task

PYTHON = Task(task_id="p", kind="python", prompt="p", gold="result = 1")


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
    ("{1}", "frozenset({1})", "expected {1}, got frozenset({1})"),
    ("{1, 2}", "{1, 3}", "expected an element 2, got {1, 3}"),
    ("{1}", "{1, 3}", "unexpected element 3"),
    ("{'a': 1}", "{'a': 2}", "['a']: expected 1, got 2"),
    ("{'a': 1}", "{'b': 1}", "expected a key 'a', got {'b': 1}"),
    ("{1: 0}", "{True: 0}", "expected a key 1, got {True: 0}"),
    ("np.arange(4)", "np.arange(4).reshape(2, 2)", "expected an array of shape (4,), got (2, 2)"),
    ("np.arange(2)", "np.arange(2.0)", "array: expected dtype int, got float"),
    ("np.arange(2)", "[0, 1]", "expected an array of shape (2,), got [0, 1]"),
    ("np.array([1, 2])", "np.array([1, 3])", "array element 1: expected 2, got 3"),
    ("df.v", "df.w", "expected dtype int, got float"),
    (
        "df.v",
        "df.v.to_frame()",
        "expected a series of 3 values, got a frame of 3 rows and 1 column",
    ),
    ("df.v", "df.v.sort_values(ascending=False)", "index 0: expected 0, got 2"),
    ("df.w", "df.w.fillna(0)", "row 1: expected nan, got 0.0"),
    ("df.v", "df.v.head(2)", "expected a series of 3 values, got 2"),
    ("df[['k', 'v']]", "df[['v', 'k']]", "column name 0: expected 'k', got 'v'"),
    ("df[['v']]", "df[['v']] + 1", "column 'v' row 0: expected 1, got 2"),
    ("df", "df[['k']]", "expected a frame of 3 rows and 3 columns, got 3 rows and 1 column"),
    (
        "[0, [np.arange(4).reshape(2, 2)]]",
        "[0, [np.eye(2, dtype=int)]]",
        "[1][0] array element [0, 0]: expected 0, got 1",
    ),
    ("(1,)", "(2,)", "[0]: expected 1, got 2"),
    ("(1,)", "1", "expected (1,), got 1"),
    ("set()", "{}", "expected set(), got {}"),
    (
        "pd.Timestamp('2020')",
        "pd.Timestamp('2021')",
        "expected timestamp 2020-01-01 00:00:00, got timestamp 2021-01-01 00:00:00",
    ),
    (
        "pd.Timestamp('2020')",
        "datetime.datetime(2020, 1, 1)",
        "expected timestamp 2020-01-01 00:00:00, got datetime 2020-01-01T00:00:00",
    ),
    (
        "np.array(['2020', '2021'], 'M8[D]')",
        "np.array(['2020', 'NaT'], 'M8[D]')",
        "array element 1: expected datetime64 2021-01-01 00:00:00, got None",
    ),
    ("pd.Series([1])", "pd.Series(['1'])", "expected dtype int, got object"),
    ("True", "'True'", "expected True, got 'True'"),
    ("None", "0", "expected None, got 0"),
    ("[None]", "[float('nan')]", "[0]: expected None, got nan"),
    ("[True]", "[1]", "[0]: expected True, got 1"),
    (
        "np.array([1, 'a'], object)",
        "np.array([True, 'a'], object)",
        "array element 0: expected 1, got True",
    ),
]


def grade_answers(sandbox: Sandbox, expected: str, got: str, task: Task = PYTHON) -> Verdict:
    gold, result = sandbox.execute(
        [Program("python", f"result = {source}", setup=SETUP) for source in (expected, got)]
    )
    return grade(task, result, gold)


@pytest.mark.parametrize(("expected", "got"), EQUAL_ANSWERS)
def test_equal_answers_are_correct(sandbox: Sandbox, expected: str, got: str) -> None:
    assert grade_answers(sandbox, expected, got).kind == "correct"
    assert grade_answers(sandbox, got, expected).kind == "correct"


@pytest.mark.parametrize(("expected", "got", "detail"), UNEQUAL_ANSWERS)
def test_unequal_answers_are_wrong_and_say_where(
    sandbox: Sandbox, expected: str, got: str, detail: str
) -> None:
    verdict = grade_answers(sandbox, expected, got)
    assert verdict.kind == "wrong_result"
    assert verdict.detail == detail


@pytest.mark.parametrize(
    ("tolerance", "near", "kind"),
    [
        (None, "[1.0000001, {'a': 2.0}]", "correct"),
        (None, "[1.001, {'a': 2.0}]", "wrong_result"),
        (0.01, "[1.001, {'a': 1.99}]", "correct"),
        (0.01, "[1.05, {'a': 2.0}]", "wrong_result"),
        (0.0, "[1.0000001, {'a': 2.0}]", "wrong_result"),
        (0.0, "[1.0, {'a': 2.0}]", "correct"),
        (10.0, "[1, {'a': 2.0}]", "wrong_result"),
    ],
)
def test_a_task_says_how_exact_floats_must_be(
    sandbox: Sandbox, tolerance: float | None, near: str, kind: str
) -> None:
    task = PYTHON.model_copy(update={"tolerance": tolerance})
    assert grade_answers(sandbox, "[1.0, {'a': 2.0}]", near, task).kind == kind


def test_a_tolerance_reaches_arrays_frames_and_keys(sandbox: Sandbox) -> None:
    task = PYTHON.model_copy(update={"tolerance": 0.1})
    for expected, near in [
        ("np.array([1.0, 0.0])", "np.array([1.05, 0.05])"),
        ("df[['w']]", "df[['w']] + 0.01"),
        ("{0.5: 1, 'x': 2}", "{0.52: 1, 'x': 2}"),
        ("np.array([1 + 1j])", "np.array([1.01 + 1j])"),
    ]:
        assert grade_answers(sandbox, expected, near, task).kind == "correct"
        assert grade_answers(sandbox, expected, near).kind == "wrong_result"
