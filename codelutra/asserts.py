"""Assert-style tests (MBPP, HumanEval), judged where the program is not.

The calls that tests make of a program are evaluated in its process (`Program.calls`); the tests
then run in a second fenced process, on the values those calls gave (`sandbox/child/replay.py`).
What a test expects is only ever there. The calls are found in one of three ways:

- written: each call stands in the test with arguments of its own, `assert f(1, 2) == [3]`; the
  test that is played has `_reply(0)` in its place
- inputs: the calls are given (`Task.inputs`) and the gold's values are what is expected; no test
  is played, each value is compared (`sandbox/child/compare_inputs.py`)
- recorded: arguments come from loops or variables, so the calls the tests make of the gold are
  recorded first, in a fenced process without the program

A test that allows neither has a weak proof: it runs in the program's own process, which can
forge it. A piece of `Task.tests` without an assert defines inputs: every process runs it.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from codelutra.harness import with_solution
from codelutra.sandbox import ExecutionResult, Program, Sandbox
from codelutra.take_apart import Parts, take_apart

if TYPE_CHECKING:
    from codelutra.tasks.task import Task


def never() -> bool:
    return False


def weak_proof(task: "Task") -> bool:
    """Could a program of this task forge its verdict?"""
    return bool(task.tests) and task.harness == "asserts" and parts_of(task) is None


def with_tests(task: "Task", source: str) -> Program:
    """`source` as it is run for a task that has tests."""
    if task.harness == "ds1000":
        run = with_solution(task.tests[0], source)
        program = Program(task.kind, run.code, setup=run.setup, timeout_s=task.timeout_s)
        return dataclasses.replace(program, calls=run.calls, tests=run.plan)
    program = Program(task.kind, source, setup=task.setup, timeout_s=task.timeout_s)
    if task.inputs:
        return dataclasses.replace(
            program, calls=task.inputs, tests=plan_of_inputs(task), is_brief=True
        )
    parts = parts_of(task)
    if parts is not None:
        return dataclasses.replace(program, calls=parts.calls, tests=parts.plan)
    checks = [f"exec({text!r})" for text in task.tests]
    if task.entry_point:
        checks.append(f"check({task.entry_point})")
    return dataclasses.replace(program, calls=tuple(checks))


def plan_of_inputs(task: "Task") -> str:
    plan: dict[str, Any] = {
        "setup": task.setup,
        "gold": task.gold,
        "name": task.entry_point,
        "oracle": task.entry_point if task.match == "evalplus" else "",
        "tolerance": task.tolerance or 0,
        "inputs": [],
        "recorded": False,
    }
    return json.dumps(plan)


def parts_of(task: "Task") -> Parts | None:
    return _parts(task.setup, task.gold, task.tests, task.entry_point)


_parts = functools.lru_cache(maxsize=10_000)(take_apart)


def execute(
    sandbox: Sandbox,
    programs: Sequence[Program],
    on_done: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = never,
) -> list[ExecutionResult]:
    """As `Sandbox.execute`; the value of a program with tests is '' or what does not hold."""
    plans = {each.tests: each.timeout_s for each in programs if is_recorded(each.tests)}
    recordings = sandbox.execute(
        list(map(recorder, plans, plans.values())), should_stop=should_stop
    )
    recorded = dict(zip(plans, recordings, strict=True))
    ready = [with_recorded(program, recorded.get(program.tests)) for program in programs]
    results = sandbox.execute(ready, on_done, should_stop)
    judges = [judge_of(program, result) for program, result in zip(ready, results, strict=True)]
    distinct = list(dict.fromkeys(judge for judge in judges if judge is not None))
    judged = dict(zip(distinct, sandbox.execute(distinct, should_stop=should_stop), strict=True))
    return [
        conclude(program, result, judged[judge] if judge else None, recorded.get(program.tests))
        for program, result, judge in zip(ready, results, judges, strict=True)
    ]


@functools.lru_cache(maxsize=10_000)
def is_recorded(plan: str) -> bool:
    return bool(plan) and json.loads(plan)["recorded"]


def recorder(plan: str, timeout_s: float) -> Program:
    source = f"import replay\nresult = replay.record({plan!r})"
    return Program("python", source, timeout_s=timeout_s)


def with_recorded(program: Program, recording: ExecutionResult | None) -> Program:
    if recording is None or recording.outcome != "ok":
        return program
    return dataclasses.replace(program, calls=(*program.calls, *recording.value[1]))


def judge_of(program: Program, result: ExecutionResult) -> Program | None:
    """What plays the tests on the values that the program gave; None when there are none."""
    if not program.tests or result.outcome != "ok":
        return None
    plan = json.loads(program.tests)
    judge, num_inputs = plan.get("judge", "replay"), len(plan["inputs"])
    is_told = program.is_brief or is_recorded(program.tests)
    calls = list(program.calls[num_inputs:]) if is_told else []
    replies = json.dumps(result.value[1][num_inputs:])
    source = f"import {judge}\nresult = {judge}.judge({program.tests!r}, {calls!r}, {replies!r})"
    return Program("python", source, timeout_s=program.timeout_s)


def conclude(
    program: Program,
    result: ExecutionResult,
    played: ExecutionResult | None,
    recording: ExecutionResult | None,
) -> ExecutionResult:
    if recording is not None and recording.outcome != "ok":
        return harness_error(result, f"the tests fail on the gold: {recording.detail}")
    if not program.calls:
        return result
    if result.outcome == "runtime_error" and not program.tests:
        return weak_failure(result)
    if result.outcome != "ok":
        return result
    if played is None:  # a weak proof: no call raised
        return dataclasses.replace(result, value="")
    return combine(result, played)


def combine(result: ExecutionResult, played: ExecutionResult) -> ExecutionResult:
    if played.outcome == "ok":
        return dataclasses.replace(result, value=played.value)
    if played.outcome == "timeout":
        detail = f"comparing what it returned: {played.detail}"
        return dataclasses.replace(result, outcome="timeout", value=None, detail=detail)
    return harness_error(result, f"the tests cannot be played: {played.detail}")


def weak_failure(result: ExecutionResult) -> ExecutionResult:
    if not result.detail.startswith("AssertionError"):
        return result
    return dataclasses.replace(result, outcome="ok", value=result.detail, detail="")


def harness_error(result: ExecutionResult, detail: str) -> ExecutionResult:
    return dataclasses.replace(result, outcome="harness_error", value=None, detail=detail)
