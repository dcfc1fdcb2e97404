"""Published predictions and completions: the verdicts that differ are known."""

import argparse

import pytest

from benchmarks import published, published_programs
from benchmarks.official_sql import as_run, bird_says, result_eq, spider_says
from codelutra.compare_published import as_spider_runs
from codelutra.config import SandboxConfig
from codelutra.records import Verdict, VerdictKind
from codelutra.sandbox import Sandbox
from tests.tasks.published import DATA, real_data

DATABASE = DATA / "spider" / "database" / "concert_singer" / "concert_singer.sqlite"


def test_the_restated_evaluators_know_right_from_wrong() -> None:
    rows = [(1, "a"), (2, "b")]
    assert result_eq(rows, [("b", 2), ("a", 1)], ordered=False)
    assert not result_eq(rows, [("b", 2), ("a", 1)], ordered=True)
    assert not result_eq([(1, 2), (2, 1), (1, 1)], [(1, 2), (1, 2), (1, 1)], ordered=False)
    assert as_run("SELECT DISTINCT a > = 'distinct'") == "SELECT  a >= 'distinct'"
    assert as_run("SELECT count(distinct a)") == as_spider_runs("SELECT count(distinct a)")


@real_data
def test_the_restated_evaluators_run_queries() -> None:
    one, two = "SELECT Name, Age FROM singer", "SELECT Age, Name FROM singer ORDER BY Age"
    assert spider_says(two, one, str(DATABASE))
    assert not bird_says(two, one, str(DATABASE))
    assert bird_says(one + " UNION ALL " + one, one, str(DATABASE))
    for bad in ("DELETE FROM singer", "SELECT nothing FROM singer", ""):
        assert not bird_says(bad, one, str(DATABASE))
        assert not spider_says(bad, one, str(DATABASE))


@real_data
@pytest.mark.slow
def test_sql_verdicts_are_those_of_the_official_definitions() -> None:
    with Sandbox(SandboxConfig()) as sandbox:
        systems = list(published.sql_systems(DATA, sandbox))
    assert [system.n for system in systems] == [543, 543, 543, 52, 52, 129]
    assert all(0 < system.theirs < system.n for system in systems)
    assert [line for system in systems for line in system.differences] == []


@real_data
@pytest.mark.slow
def test_python_verdicts_on_base_inputs_are_those_of_evalplus_but_for_three() -> None:
    options = argparse.Namespace(data=DATA, quick=True)
    with Sandbox(SandboxConfig()) as sandbox:
        humaneval, mbpp = published.programs(options, sandbox)
    assert (humaneval.n, humaneval.ours, humaneval.theirs) == (164, 72, 72)
    assert (mbpp.n, mbpp.ours, mbpp.theirs) == (377, 268, 265)
    assert humaneval.differences == []
    different = [line.partition(":")[0] for line in mbpp.differences]
    assert different == ["mbppplus-2", "mbppplus-123", "mbppplus-232"]
    assert not [line for line in mbpp.differences if "unexplained" in line]


def test_a_difference_without_a_reason_is_said_to_be_one() -> None:
    row, wrong = {"base_input": [[1]]}, Verdict(VerdictKind.WRONG_RESULT)
    assert "none of this version" in published_programs.reason(row, [[2]], "base", wrong)
    assert "unexplained" in published_programs.reason(row, [[1]], "base", wrong)
    assert "unexplained" in published_programs.reason(row, [], "base", wrong)
