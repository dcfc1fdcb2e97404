"""A policy in a child process, asked chunk by chunk; what is there already is not drawn again."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from codelutra.adapters import verify_adapter
from codelutra.config import GenerationBackend, OpenAIBackend, VllmBackend
from codelutra.errors import GenerationError
from codelutra.generation.api_key import api_key
from codelutra.generation.backend import GenerationRequest
from codelutra.gpu_handover import check_free, wait_until_returned
from codelutra.machine import Machine, look
from codelutra.model_files import fetch_model
from codelutra.phase import PhaseChild
from codelutra.records import Adapter, Sample
from codelutra.tasks.task import Task

SHOWN = 5  # names in a line


@dataclass(frozen=True)
class Policy:
    """Which model answers. `model` is a path or Hub id; without `adapter` it is the base."""

    backend: GenerationBackend
    model: str
    adapter: Adapter | None = None
    chat_template: str = "auto"

    def job(self) -> dict[str, Any]:
        return {
            "backend": self.backend.model_dump(mode="json"),
            "model": self.model,
            "adapter": self.adapter.path if self.adapter else "",
            "chat_template": self.chat_template,
        }


@dataclass
class Drawn:
    """The samples of a chunk, and what they cost: `num_cut` ended at the limit of tokens."""

    samples: list[Sample] = field(default_factory=list)
    num_tokens: int = 0
    num_cut: int = 0
    too_long: list[str] = field(default_factory=list)  # tasks whose prompt the model cannot hold

    def __iadd__(self, other: "Drawn") -> Self:
        self.samples += other.samples
        self.num_tokens += other.num_tokens
        self.num_cut += other.num_cut
        self.too_long += other.too_long
        return self

    def in_words(self, seconds: float) -> str:
        text = (
            f"{len(self.samples)} programs of {self.num_tokens} tokens in {seconds:.1f} s, "
            f"{self.num_tokens / seconds:.0f} tokens/s"
        )
        if self.num_cut:
            text += f"; {self.num_cut} were cut at the longest completion"
        if self.too_long:
            names = ", ".join(self.too_long[:SHOWN]) + (", ..." if self.too_long[SHOWN:] else "")
            text += (
                f"; the prompts of {len(self.too_long)} tasks are too long for the model, "
                f"no program was drawn for them: {names}"
            )
        return text


class Engine:
    """Holds at most one loaded policy, started when it is first asked.

    The policy that an iteration is scored with also samples for the next one: between the two it
    stays loaded. `close` ends the child, which frees its memory.
    """

    def __init__(self) -> None:
        self._child: PhaseChild | None = None
        self._policy: Policy | None = None
        self._before: Machine | None = None  # as it was when the policy was loaded

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child = self._policy = None

    def hand_over(self) -> None:
        """`close`, and wait until the GPU is as free as it was. Raises GenerationError."""
        before, self._before = self._before, None
        self.close()
        if before:
            wait_until_returned(before)

    def generate(
        self,
        policy: Policy,
        tasks: Sequence[Task],
        request: GenerationRequest,
        *,
        batch_size: int,
        done: Collection[str],
        log: Path,
        should_stop: Callable[[], bool],
        on_note: Callable[[str], None] = lambda note: None,
    ) -> Iterator[Drawn]:
        """Yield chunks of tasks as they finish; tasks whose id is in `done` are skipped.

        Chunks are cut from all the tasks, sorted by prompt length: with transformers an
        interrupted run draws what an undisturbed one would have, vLLM draws others of its kind.
        `on_note` is told what the log should know: what the probe of a freshly loaded adapter
        found, before all.
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
            **policy.job(),
            "request": vars(request),
            "chunks": {number: [t.prompt for t in chunk] for number, chunk in open_chunks.items()},
            "golds": [t.gold_completion or t.gold for t in tasks]
            if request.max_new_tokens == 0
            else [],
        }
        is_remote = isinstance(policy.backend, OpenAIBackend)
        fetch_model(policy.model, weights=not is_remote, should_stop=should_stop)
        if is_remote:
            job["key"] = api_key()
        child = self._loaded_with(policy, log)
        try:
            for message in child.ask(job, log=log, should_stop=should_stop):
                if note := message.get("note"):
                    on_note(note)
                if "chunk" in message:
                    yield _drawn(open_chunks[message["chunk"]], message, done)
        except BaseException:  # whatever it was doing, nobody waits for it any more
            self.close()
            raise

    def _loaded_with(self, policy: Policy, log: Path) -> PhaseChild:
        if self._child is None or self._policy != policy:
            self.close()
            if policy.adapter:
                verify_adapter(policy.adapter)
            self._before = look()
            if isinstance(policy.backend, VllmBackend):
                check_free(policy.backend.gpu_memory_utilization, self._before)
            self._child = PhaseChild("generate", log=log, error=GenerationError)
            self._policy = policy
        return self._child


def _cut(tasks: Sequence[Task], size: int) -> list[list[Task]]:
    ordered = sorted(tasks, key=lambda task: (len(task.prompt), task.task_id))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _drawn(tasks: list[Task], message: dict[str, Any], done: Collection[str]) -> Drawn:
    """Of a chunk that was stored in part, only what is missing counts."""
    drawn = Drawn()
    for task, completions in zip(tasks, message["completions"], strict=True):
        if task.task_id in done:
            continue
        endings = [ending for _, _, ending in completions]
        drawn.num_tokens += sum(count for _, count, _ in completions)
        drawn.num_cut += endings.count("length")
        if "too_long" in endings:
            drawn.too_long.append(task.task_id)
        drawn.samples += [
            Sample(task.task_id, index, text) for index, (text, _, _) in enumerate(completions)
        ]
    return drawn
