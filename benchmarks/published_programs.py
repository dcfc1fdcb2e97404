"""Published completions for HumanEval+ and MBPP+, judged by us and, long ago, by EvalPlus."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codelutra.grading import Grader
from codelutra.records import Sample, Verdict
from codelutra.sandbox import Sandbox
from codelutra.tasks import Task, formats
from codelutra.tasks.evalplus import name_of
from codelutra.tasks.evalplus_inputs import SET_RESULTS
from codelutra.tasks.template import fill

SYSTEM = "qwen2.5-coder-1.5b-base"
SETS = {"humaneval": "HumanEvalPlus.jsonl.gz", "mbpp": "MbppPlus.jsonl.gz"}
System = tuple[str, int, int, int, list[str]]  # name, n, correct by us and by them, differences


def systems(data: Path, sandbox: Sandbox, base_only: bool) -> Iterator[System]:
    for name, file in SETS.items():
        published = formats.load(data / "evalplus" / file)
        tasks = {
            d.task["task_id"]: Task.model_validate(
                {**d.task, "prompt": fill(published.template, d.parts)}
            )
            for d in published.drafts
        }
        with gzip.open(data / "evalplus" / file) as lines:
            rows = {name_of(row["task_id"]): row for row in map(json.loads, lines)}
        folder = data / "code_gen" / SYSTEM / "evalplus" / name
        stored = json.loads((folder / "generated_eval_results.json").read_text("utf-8"))["eval"]
        results = {name_of(task_id): each[0] for task_id, each in stored.items()}
        for part in ("base",) if base_only else ("base", "plus"):
            yield compare(f"{SYSTEM} {name} {part}", part, tasks, rows, results, sandbox)


def compare(
    name: str,
    part: str,
    tasks: dict[str, Task],
    rows: dict[str, Any],
    results: dict[str, Any],
    sandbox: Sandbox,
) -> System:
    """On one part of the inputs alone, as EvalPlus keeps its verdicts."""
    asked = {}
    for task_id, task in tasks.items():
        num_base = len(rows[task_id]["base_input"])
        inputs = task.inputs[:num_base] if part == "base" else task.inputs[num_base:]
        if task_id in results and inputs:
            asked[task_id] = task.model_copy(update={"inputs": inputs})
    samples = [Sample(task_id, 0, results[task_id]["solution"]) for task_id in asked]
    verdicts = Grader(sandbox).grade(asked, samples)
    ours = {task_id: verdicts[task_id, 0].kind == "correct" for task_id in asked}
    theirs = {task_id: results[task_id][f"{part}_status"] == "pass" for task_id in asked}
    differ = {task_id: task for task_id, task in asked.items() if ours[task_id] != theirs[task_id]}
    plain = Grader(sandbox).grade(
        {task_id: as_it_is(task) for task_id, task in differ.items()},
        [sample for sample in samples if sample.task_id in differ],
    )
    differences = []
    for task_id in differ:
        verdict, result = verdicts[task_id, 0], results[task_id]
        text = reason(rows[task_id], result[f"{part}_fail_tests"], part, verdict)
        if (plain[task_id, 0].kind == "correct") == theirs[task_id] and not theirs[task_id]:
            text = "theirs did not yet compare this function's results as sets"
        elif tasks[task_id].entry_point in SET_RESULTS and not theirs[task_id]:
            text = "theirs did not yet compare these sets as such, and orders strings by chance"
        differences.append(
            f"{task_id}: theirs {result[f'{part}_status']}, ours {verdict.kind} after "
            f"{verdict.seconds:.1f} s, {verdict.detail} | {text}"
        )
    return name, len(asked), sum(ours.values()), sum(theirs.values()), differences


def as_it_is(task: Task) -> Task:
    """Without the rules that are the function's own."""
    calls = tuple(call[4:-1] if call.startswith("set(") else call for call in task.inputs)
    return task.model_copy(update={"inputs": calls, "match": "exact"})


def reason(row: dict[str, Any], failed: list[Any], part: str, verdict: Verdict) -> str:
    known = row[f"{part}_input"]
    if verdict.kind == "correct" and failed and verdict.seconds > 1:
        return f"slow: beyond the time that theirs allows for {str(failed[0])[:80]}"
    if failed and not any(each in known for each in failed):
        return f"its input {str(failed[0])[:80]} is none of this version of the set"
    return f"unexplained, theirs fails on {str(failed)[:120]}"
