"""The child's side of the engine: loads the policy of its first job, then answers every job."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from codelutra.generation.backend import Chunk, GenerationRequest, Generator, load_generator
from codelutra.probe import check_answer, read_probe

Send = Callable[[dict[str, Any]], None]
TIMES, MORE = 2, 64  # the longest gold, and tokens: answers are wordier than golds


class Serving:
    """One job after the other, all of one policy."""

    def __init__(self) -> None:
        self.generator: Generator | None = None

    def __call__(self, job: dict[str, Any], send: Send) -> None:
        if self.generator is None:
            self.generator = load_generator(
                job["backend"], job["model"], job["adapter"], job["chat_template"],
                job.get("key", ""),
            )  # fmt: skip
            note = _probe(self.generator, job["adapter"])
            send({"loaded": True, "note": note})
        request = GenerationRequest(**{**job["request"], "stop": tuple(job["request"]["stop"])})
        if request.max_new_tokens == 0:
            limit = _limit(self.generator, job["golds"])
            request = replace(request, max_new_tokens=limit)
            send({"note": f"longest completion {limit} tokens, by the length of the golds"})
        chunks = [Chunk(int(number), tuple(each)) for number, each in job["chunks"].items()]
        for number, drawn in self.generator.generate(chunks, request):
            rows = [[(c.text, c.num_tokens, c.ending) for c in each] for each in drawn]
            send({"chunk": number, "completions": rows})


def _limit(generator: Generator, golds: list[str]) -> int:
    """Tokens that every correct answer should fit in."""
    tokenizer = generator.reader.tokenizer
    return TIMES * max(len(ids) for ids in tokenizer(golds)["input_ids"]) + MORE


def _probe(generator: Generator, adapter: str) -> str:
    """Whether what is loaded answers as the adapter did when it was trained; for the log."""
    probe = read_probe(adapter) if adapter else None
    if probe is None:
        return ""
    return [check_answer(probe, found) for found in generator.token_logprobs(probe.token_ids)][-1]
