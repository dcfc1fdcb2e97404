"""Pairs as the worker writes them, for the tests of their queue and of reviews."""

from typing import Any

from storage import db, queries, recording
from tests.storage.rows import iteration, sample

VERDICTS = ("wrong_result", "syntax_error", "timeout")


def add_pairs(run_id: int, number: int = 1, tasks: int = 3, a_task: int = 3) -> list[int]:
    """`a_task` pairs of each task, doubtful in the order in which they come; their ids."""
    with db.open_session() as session:
        where = iteration(session, run_id, number)
        drawn = [sample(f"t{task}", 0, "correct") for task in range(tasks)]
        drawn += [
            sample(f"t{task}", index + 1, VERDICTS[index % 3])
            for task in range(tasks)
            for index in range(a_task)
        ]
        recording.add_samples(session, iteration_id=where, split="train", rows=drawn)
        rows: list[dict[str, Any]] = [
            {
                "task_id": f"t{task}",
                "chosen": f"SELECT good_{task} FROM t",
                "rejected": f"SELECT bad_{index} FROM t",
                "chosen_index": 0,
                "rejected_index": index + 1,
                "source": "sampled",
                "doubt": 1 - 0.1 * index,
                "warnings": ["tiny_edit"] if index == 1 else [],
            }
            for task in range(tasks)
            for index in range(a_task)
        ]
        recording.add_pairs(session, iteration_id=where, rows=rows)
        return [pair.id or 0 for pair in queries.pairs(session, iteration_id=where)]
