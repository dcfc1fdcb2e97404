"""Generates for many tasks in a child process, chunk by chunk, skipping what is there."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from codelutra.errors import GenerationError
from codelutra.generation.backend import GenerationRequest
from codelutra.phase import run_phase
from codelutra.records import Sample
from codelutra.tasks.task import Task


def generate(
    tasks: Sequence[Task],
    request: GenerationRequest,
    *,
    policy: dict[str, Any],
    batch_size: int,
    done: set[str],
    log: Path,
    should_stop: Callable[[], bool],
) -> Iterator[list[Sample]]:
    """Yield the samples of each chunk of tasks; tasks whose id is in `done` are skipped.

    `policy` is {"backend", "model", "adapter", "chat_template"}. Chunks are cut from all the tasks,
    sorted by prompt length, so that an interrupted run draws what an undisturbed one would have.
    """
    chunks = _cut(tasks, max(1, batch_size // request.num_samples))
    open_chunks = {
        number: chunk
        for number, chunk in enumerate(chunks)
        if any(task.task_id not in done for task in chunk)
    }
    if not open_chunks:
        return
    job = {
        **policy,
        "request": vars(request),
        "chunks": {number: [t.prompt for t in chunk] for number, chunk in open_chunks.items()},
    }
    for message in run_phase(
        "generate", job, log=log, should_stop=should_stop, error=GenerationError
    ):
        if "chunk" in message:
            yield _samples(open_chunks[message["chunk"]], message["completions"], done)


def _cut(tasks: Sequence[Task], size: int) -> list[list[Task]]:
    ordered = sorted(tasks, key=lambda task: (len(task.prompt), task.task_id))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _samples(tasks: list[Task], completions: list[list[str]], done: set[str]) -> list[Sample]:
    return [
        Sample(task.task_id, index, text)
        for task, texts in zip(tasks, completions, strict=True)
        if task.task_id not in done
        for index, text in enumerate(texts)
    ]
